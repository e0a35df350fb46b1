"""Our own files: every kind of scene comes back, and damage to one is a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given

from distill3d import files, plugins
from distill3d.errors import UserError
from distill3d.formats import safetensors_scene
from distill3d.scene import Scene
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives

SMALL: dict[str, dict[str, Any]] = {
    "gaussians": {"count": 20},
    "surfels": {"count": 20},
    "voxels": {"resolution": 3},
    "hash_grid": {"log2_entries": 4},
    "vm": {"resolution": 4},
    "triplane": {"resolution": 4},
    "mlp": {"width": 8},
    "mesh": {"subdivisions": 0},
}


def start(kind: str) -> Scene:
    torch.manual_seed(0)
    return plugins.load("representations", kind, "kind of scene", "").start(seed=0, **SMALL[kind])


def written(kind: str) -> bytes:
    return safetensors_scene.write(kind, start(kind).state_dict())


FILES = {kind: written(kind) for kind in SMALL}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scene") / "scene.safetensors"


def spoilt(kind: str, places: Any, cut: float, swap: bool, *, head: bool) -> bytes:
    """The file with damage anywhere, or in what says what its numbers are."""
    data = FILES[kind]
    end = 8 + int.from_bytes(data[:8], "little") if head else len(data)
    return damaged(data[:end], places, cut, swap) + data[end:]


def opened(place: Path, data: bytes) -> Any:
    place.write_bytes(data)
    return survives(lambda _: files.load(place), data)


@pytest.mark.parametrize("kind", SMALL)
def test_a_scene_comes_back_bit_for_bit(kind: str, place: Path) -> None:
    place.write_bytes(FILES[kind])
    before, after = start(kind).state_dict(), files.load(place).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("kind", SMALL)
def test_every_number_that_is_missing_or_of_another_shape_is_a_sentence(kind: str, place: Path) -> None:
    _, state = safetensors_scene.read(FILES[kind])
    optional = {"photographed", "scene_transform", "finest"}  # of files from before they were there
    for name, value in state.items():
        others: dict[str, dict[str, Any]] = {"emptied": {**state, name: torch.zeros(0)}}
        if isinstance(value, torch.Tensor) and value.ndim == 2 and name not in optional:
            others["cut"] = {**state, name: value[:, :-1].clone()}
        for what, other in others.items():
            place.write_bytes(safetensors_scene.write(kind, other))
            try:
                files.load(place)
            except UserError as error:
                assert "\n" not in str(error) and len(str(error)) < 400, (name, what)


@pytest.mark.parametrize("numbers", ["{", "[1]", "3", "[" * 100_000])
def test_numbers_that_are_none_are_a_sentence(numbers: str) -> None:
    notes = {"format": safetensors_scene.FORMAT, "kind": "voxels", "numbers": numbers}
    with pytest.raises(UserError, match="numbers in its header"):
        safetensors_scene.read(safetensors_scene.save({"a": torch.zeros(1)}, notes))


@pytest.mark.parametrize("kind", ["gaussians", "voxels", "mesh"])
@QUICK
@given(*DAMAGE)
def test_a_damaged_scene_is_a_sentence(place, kind, places, cut, swap):
    opened(place, spoilt(kind, places, cut, swap, head=True))


@pytest.mark.slow
@pytest.mark.parametrize("head", [False, True])
@pytest.mark.parametrize("kind", SMALL)
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_scenes_are_sentences(place, kind, head, places, cut, swap):
    opened(place, spoilt(kind, places, cut, swap, head=head))
