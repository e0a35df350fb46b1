"""What a format cannot hold is said, all of it and nothing else; what it can hold comes back."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from trimesh.creation import icosphere
from trimesh.visual import ColorVisuals

from distill3d import files
from distill3d.camera import turntable
from distill3d.errors import Lost
from distill3d.formats import lost, spz
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.scene import Scene
from tests.commands.test_frames import similarity
from tests.formats.test_gaussian_formats import state
from tests.formats.test_mesh_files import torn

FEATURES = {
    "scene_transform": ("scene_transform", similarity()),
    "antialiased": ("antialiased", torch.tensor(True)),
    "extra.label": ("label", torch.arange(20, dtype=torch.int32)),
    "extra.features": ("features", torch.rand(20, 4).half()),
}
"""What is said of it, and a value."""


def scene(*names: str, terms: int = 1) -> Gaussians:
    found: dict[str, Any] = Gaussians(*state(20, terms).values()).state_dict()
    found |= {name: FEATURES[name][1] for name in names}
    made = Gaussians.from_state(found)
    assert isinstance(made, Gaussians)
    return made


def said(made: Scene, path: Path) -> str:
    """What is said while the scene is written; nothing is an empty word."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        files.save(made, path)
    assert len(caught) <= 1 and all(warning.category is Lost for warning in caught)
    return str(caught[0].message) if caught else ""


@pytest.mark.parametrize("suffix", [*lost.GAUSSIANS, files.OURS])
def test_all_that_does_not_come_back_was_said_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    for names in itertools.chain.from_iterable(itertools.combinations(FEATURES, k) for k in (0, 1, 4)):
        words = said(scene(*names), tmp_path / f"a{suffix}")
        after = files.load(tmp_path / f"a{suffix}").state_dict()
        for name, (called, value) in FEATURES.items():
            kept = name in after and torch.equal(after[name], value)
            assert kept == (name in names and called not in words), (names, name, words)
            assert (called in words) <= (name in names)
        assert bool(words) == any(
            not torch.equal(after.get(n, torch.zeros(0)), FEATURES[n][1]) for n in names
        )


@pytest.mark.parametrize("suffix", lost.GAUSSIANS)
def test_harmonics_that_do_not_fit_are_said(tmp_path: Path, suffix: str) -> None:
    words = said(scene(terms=16), tmp_path / f"a{suffix}")
    after = files.load(tmp_path / f"a{suffix}")
    assert isinstance(after, Gaussians)
    degree = lost.GAUSSIANS[suffix].degree
    assert (after.sh.shape[1] == (degree + 1) ** 2) and (f"harmonics over degree {degree}" in words) == (
        degree < 3
    )


@pytest.mark.parametrize("suffix", files.MESHES)
def test_textures_and_colours_that_do_not_fit_are_said(tmp_path: Path, suffix: str) -> None:
    assert ("texture" in said(torn(), tmp_path / f"a{suffix}")) == (suffix not in lost.TEXTURES)
    painted = icosphere(1)
    colours = np.full((len(painted.vertices), 4), 99, np.uint8)
    painted.visual = ColorVisuals(painted, vertex_colors=colours)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        files.save_mesh(painted, tmp_path / f"b{suffix}")
    assert ["colours" in str(w.message) for w in caught] == [True] * (suffix not in lost.COLOURS)


def test_a_mesh_forgets_its_sources_world(tmp_path: Path) -> None:
    ball = Mesh.start(subdivisions=1)
    assert said(ball, tmp_path / "a.glb") == ""
    ball.scene_transform.copy_(similarity())
    assert "scene_transform" in said(ball, tmp_path / "a.glb")
    assert said(ball, tmp_path / "a.safetensors") == ""


# Antialiased


def test_antialiased_gaussians_show_the_same_light_at_any_size() -> None:
    """One that is much smaller than a pixel gives the same to a picture of few pixels as to one of many."""
    tiny = Gaussians(
        torch.zeros(1, 3),
        torch.tensor([[1.0, 0, 0, 0]]),
        torch.full((1, 3), -5.0),
        torch.zeros(1),
        torch.ones(1, 1, 3),
    )

    def light(size: int) -> torch.Tensor:
        return tiny.render(turntable(1, width=size, height=size)).alpha.sum() / size**2

    assert light(15) > 3 * light(151)
    tiny.antialiased.fill_(True)
    assert_close(light(51), light(301), rtol=0.15, atol=0)


def test_the_note_in_a_ply_is_read_from_either_program(tmp_path: Path) -> None:
    files.save(scene(), tmp_path / "a.ply")
    data = (tmp_path / "a.ply").read_bytes()
    for note, expected in [
        (b"SplatRenderMode: mip", True),
        (b"SplatRenderMode: default", False),
        (b"antialiased 1", True),
        (b"antialiased 0", False),
    ]:
        (tmp_path / "b.ply").write_bytes(data.replace(b"end_header", b"comment " + note + b"\nend_header", 1))
        assert bool(files.load(tmp_path / "b.ply").state_dict()["antialiased"]) == expected, note


# SPZ of degree 4


def test_harmonics_of_degree_4_are_left_out_with_a_warning() -> None:
    """A file of degree 3 whose rows have nine more coefficients is the same Gaussians."""
    before = state(30)
    plain = spz._gunzip(spz.write(before))
    widths = spz._widths(3, 3)
    at = spz.HEADER.size + 30 * sum(widths[:-1])
    rest = np.frombuffer(plain, np.uint8, offset=at).reshape(30, 45)
    wider = np.concatenate([rest, np.full((30, 27), 200, np.uint8)], 1)
    header = spz.HEADER.pack(spz.MAGIC, 3, 30, 4, spz.FRACTION_BITS, 0, 0)
    with pytest.warns(Lost, match="up to degree 4; those over 3 are left out"):
        after = spz.read(header + plain[spz.HEADER.size : at] + wider.tobytes())
    expected = spz.read(plain)
    assert all(torch.equal(after[name], value) for name, value in expected.items())
