"""Banks of renders: what is kept on disk is what would be rendered, whatever has happened to the file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from distill3d.camera import azimuth_elevation, orbit
from distill3d.world import bank
from distill3d.world.bank import bank_of, stations
from distill3d.world.grammar import describe
from distill3d.world.model import instances

SIZE = 16


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of renders, a new one for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "distill3d" / "renders"


def mugs(prompt: str = "a red mug", count: int = 1, views: int = 3, size: int = SIZE) -> torch.Tensor:
    return bank_of(describe(prompt), count, views, width=size, height=size).rgba


def the_file(cache: Path) -> Path:
    (path,) = cache.iterdir()
    return path


def render_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("rendered although the cache has it")

    monkeypatch.setattr(bank, "_quantised", refuse)


def test_a_bank_is_its_models_renders_instance_by_instance() -> None:
    found = bank_of(describe("a red mug"), 2, 3, width=SIZE, height=SIZE)
    cameras = stations(3, width=SIZE, height=SIZE)
    for k, model in enumerate(instances(describe("a red mug"), 2)):
        picture = model.render(cameras)
        expected = (torch.cat([picture.rgb, picture.alpha], -1) * 255).round()
        assert (found.rgba[3 * k : 3 * k + 3].float() - expected).abs().max() <= 1
        torch.testing.assert_close(found.cameras[3 * k : 3 * k + 3].world_to_camera, cameras.world_to_camera)


def test_what_was_kept_is_what_was_rendered_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = mugs()
    render_nothing(monkeypatch)
    assert torch.equal(mugs(), fresh)


@pytest.mark.parametrize(
    "harm",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"",
        lambda whole: b"not a picture at all",
        lambda whole: whole.replace(b"|u1", b"|i1"),
    ],
    ids=["torn", "empty", "something else", "other type"],
)
def test_a_damaged_file_is_made_again(cache: Path, harm) -> None:
    fresh = mugs()
    path = the_file(cache)
    whole = path.read_bytes()
    path.write_bytes(harm(whole))
    assert path.read_bytes() != whole
    assert torch.equal(mugs(), fresh)
    assert the_file(cache).read_bytes() == whole


def test_a_file_that_would_run_code_when_read_is_not_read(cache: Path, tmp_path: Path) -> None:
    """Objects in a .npy are pickles."""
    fresh = mugs()
    shape = tuple(fresh.shape)
    np.save(the_file(cache), np.full(shape, {"any": "object"}, dtype=object), allow_pickle=True)
    assert torch.equal(mugs(), fresh)


def test_a_cache_that_cannot_be_written_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = mugs()
    (tmp_path / "file").write_text("in the way of the folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert torch.equal(mugs(), fresh)


def test_nothing_is_left_beside_the_renders(cache: Path) -> None:
    mugs()
    assert the_file(cache).suffix == ".npy"


def test_all_that_changes_the_renders_has_a_file_of_its_own(cache: Path) -> None:
    variants = [{}, {"prompt": "a blue mug"}, {"count": 2}, {"views": 4}, {"size": 12}]
    for number, variant in enumerate(variants, 1):
        mugs(**variant)
        assert len(list(cache.iterdir())) == number, variant


@pytest.mark.parametrize("count", [8, 32, 128])
def test_stations_cover_their_band_of_the_sphere_evenly(count: int) -> None:
    """Every direction of the band is near a station, no two stations are, and heights are even steps."""
    found = stations(count, width=8, height=8)
    centres = normalize(found.centres, dim=-1)
    azimuths, elevations = azimuth_elevation(found)
    low, high = math.radians(bank.LOWEST_DEG), math.radians(bank.HIGHEST_DEG)
    steps = elevations.sin().sort().values.diff()
    expected = (math.sin(high) - math.sin(low)) / count
    torch.testing.assert_close(steps, torch.full_like(steps, expected), atol=1e-4, rtol=1e-3)

    generator = torch.Generator().manual_seed(0)
    heights = math.sin(low) + (math.sin(high) - math.sin(low)) * torch.rand(2000, generator=generator)
    anywhere = orbit(torch.rand(2000, generator=generator) * 2 * math.pi, heights.asin(), width=8, height=8)
    nearest = normalize(anywhere.centres, dim=-1) @ centres.T
    share_rad = math.sqrt(
        2 * math.pi * (math.sin(high) - math.sin(low)) / count
    )  # side of a station's square
    assert nearest.amax(-1).clamp(max=1).acos().max() < 1.1 * share_rad
    apart = (centres @ centres.T).fill_diagonal_(-1).amax(-1).acos()
    assert apart.min() > 0.6 * share_rad
    assert torch.polar(torch.ones(count), azimuths).mean().abs() < 1.5 / count**0.5
