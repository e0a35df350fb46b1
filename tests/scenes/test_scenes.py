"""The small scenes that come with the project: they open, look as they should, and come out alike again."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

import scenes
from distill3d import files
from distill3d.comparison import against_photographs, compare
from distill3d.data import photographs
from distill3d.data.dataset import open_dataset
from distill3d.world.grammar import describe
from distill3d.world.metrics import held_out
from distill3d.world.model import instance
from scenes import amphora, castle, knot, locomotive, owl, turtle
from scenes.__main__ import NAMES, main

FOLDER = Path(scenes.__file__).parent
MOST_BYTES = 2_000_000
WANT = ("rgb", "alpha", "depth", "normal")
SHOWN = [(owl, 33.0, 128), (turtle, 31.0, 128), (amphora, 50.0, 128), (castle, 31.0, 128), (knot, 31.0, 256)]
"""Scenes, their least PSNR in dB on cameras that no fit has seen, and the side of the pictures."""


def size(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*")) if path.is_dir() else path.stat().st_size


@pytest.mark.parametrize("name", NAMES)
def test_every_scene_is_there_and_small(name: str) -> None:
    path = FOLDER / importlib.import_module(f"scenes.{name}").FILE
    assert 10_000 < size(path) < MOST_BYTES


def test_every_scene_is_in_the_list_with_its_file() -> None:
    table = (FOLDER / "README.md").read_text()
    for name in NAMES:
        assert importlib.import_module(f"scenes.{name}").FILE in table


@pytest.mark.parametrize(("scene", "least_db", "side_px"), SHOWN, ids=[s.__name__ for s, _, _ in SHOWN])
def test_a_scene_looks_as_its_maker_says(scene: ModuleType, least_db: float, side_px: int) -> None:
    opened = files.load(FOLDER / scene.FILE)
    cameras = held_out(side_px)[::12]
    found = compare(lambda c: opened.render(c, want=WANT), scene.truth, cameras)
    assert found.scores.psnr.min() > least_db - 2 and found.scores.psnr.mean() > least_db
    assert found.depth_error is not None and found.depth_error < 0.02
    assert found.normal_error_deg is not None and found.normal_error_deg < 30


def test_the_photographs_show_the_world_from_where_they_say(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dataset = open_dataset(FOLDER / locomotive.FILE)
    assert (dataset.layout, len(dataset.train), len(dataset.test)) == ("blender", 40, 8)
    taken = photographs.load(dataset, dataset.test)
    scores = against_photographs(locomotive.truth, taken)
    assert scores.psnr.min() > 50, "bytes and their rounding alone"


def test_photographs_are_made_again_alike(tmp_path: Path) -> None:
    locomotive.make(tmp_path)
    for split in ("train", "test"):
        ours, kept = (json.loads((f / locomotive.FILE / f"transforms_{split}.json").read_text())
                      for f in (tmp_path, FOLDER))  # fmt: skip
        for frame, other in zip(ours["frames"], kept["frames"], strict=True):
            assert np.allclose(frame["transform_matrix"], other["transform_matrix"], atol=1e-5)
            pixels, expected = (
                np.asarray(Image.open(f / locomotive.FILE / f"{frame['file_path']}.png")).astype(int)
                for f in (tmp_path, FOLDER)
            )
            assert (np.abs(pixels - expected) * (expected[..., 3:] > 8)).max() <= 2


def test_the_knot_is_made_again_alike_and_changes_with_the_view(tmp_path: Path) -> None:
    knot.make(tmp_path)
    ours, kept = (files.load(f / knot.FILE).state_dict() for f in (tmp_path, FOLDER))
    for name in ("means", "log_scales", "opacity_logits", "sh"):
        torch.testing.assert_close(ours[name], kept[name], atol=1e-3, rtol=1e-3)
    assert kept["sh"].shape[1] == 16
    scene = files.load(FOLDER / knot.FILE)
    scene.sh.data[:, 1:] = 0
    flat = compare(lambda c: scene.render(c, want=WANT), knot.truth, held_out(256)[::8])
    assert flat.scores.psnr.mean() < 27, "without its harmonics it is another thing"


def test_the_amphora_is_made_again_alike_and_is_painted(tmp_path: Path) -> None:
    amphora.make(tmp_path)
    ours, kept = (files.load(f / amphora.FILE).state_dict() for f in (tmp_path, FOLDER))
    assert ours.keys() == kept.keys() and {"uv", "uv_indices"} <= ours.keys()
    for name in ("faces", "uv", "uv_indices"):
        torch.testing.assert_close(ours[name], kept[name], atol=1e-5, rtol=0)


def test_the_amphoras_surface_looks_outwards() -> None:
    cameras = held_out(64)[::6]
    picture = files.load(FOLDER / amphora.FILE).render(cameras, want=WANT)
    assert picture.normal is not None
    away = (picture.normal * torch.nn.functional.normalize(cameras.rays()[1], dim=-1)).sum(-1)
    assert (away[picture.alpha[..., 0] > 0.99] < 0.2).float().mean() > 0.999


def test_the_castles_gaussians_know_their_parts() -> None:
    parts = json.loads((FOLDER / castle.PARTS).read_text())
    means = files.load(FOLDER / castle.FILE).means.detach()
    model = instance(describe(castle.PROMPT), 0)
    assert tuple(parts["labels"]) == model.labels and set(parts["part"]) <= set(range(len(model.labels)))
    same = torch.tensor(parts["part"]) == model.part_at(means)
    assert len(same) == len(means) and same.float().mean() > 0.999
    counts = torch.bincount(torch.tensor(parts["part"]), minlength=len(model.labels))
    assert (counts > 0).all(), "no part is without a Gaussian"


def test_an_unknown_scene_is_refused_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unicorn"]) == 2
    assert "unknown scene unicorn; expected some of locomotive" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("scene", [owl, turtle], ids=["owl", "turtle"])
def test_fitted_scenes_are_as_good_when_made_again(tmp_path: Path, scene: ModuleType) -> None:
    scene.make(tmp_path)
    again, kept = (files.load(folder / scene.FILE) for folder in (tmp_path, FOLDER))
    psnr = [
        float(
            compare(lambda c, s=s: s.render(c, want=WANT), scene.truth, held_out(128)[::4]).scores.psnr.mean()
        )
        for s in (again, kept)
    ]
    assert psnr[0] > psnr[1] - 1
