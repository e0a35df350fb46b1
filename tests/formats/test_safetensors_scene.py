"""Our own files: every kind of scene comes back, and damage to one is a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given

from distill3d import files, plugins
from distill3d.camera import turntable
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
OF_OTHERS: dict[str, dict[str, Any]] = {
    "instant_ngp": {"log2_entries": 4, "width": 16},
    "nerfacto": {"log2_entries": 4, "width": 16},
    "pvd": {"resolution": 4, "width": 16},
}
"""Kinds of scene that hold the fields of other programs."""
KINDS = SMALL | OF_OTHERS


def start(kind: str) -> Scene:
    torch.manual_seed(0)
    return plugins.load("representations", kind, "kind of scene", "").start(seed=0, **KINDS[kind])


def written(kind: str) -> bytes:
    return safetensors_scene.write(kind, start(kind).state_dict())


FILES = {kind: written(kind) for kind in KINDS}


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


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_comes_back_bit_for_bit(kind: str, place: Path) -> None:
    place.write_bytes(FILES[kind])
    before, after = start(kind).state_dict(), files.load(place).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def others(value: torch.Tensor) -> Iterator[torch.Tensor]:
    """A tensor with a row less or more along each axis, flat, deeper, empty, and of less precision."""
    for axis in reversed(range(value.ndim)):
        yield value.narrow(axis, 0, value.shape[axis] - 1).clone()
        yield torch.cat([value, value.narrow(axis, 0, 1)], axis)
    yield from (value.to(torch.float16), value[None].clone(), value.flatten(), value.flatten()[:0].clone())


def refused(place: Path, kind: str, state: dict[str, Any]) -> bool:
    """Whether a file with such numbers is refused in a sentence, or else drawn."""
    place.write_bytes(safetensors_scene.write(kind, state))
    try:
        scene = files.load(place)
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        return True
    assert scene.render(turntable(1, width=3, height=2)).rgb.shape == (1, 2, 3, 3)
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_of_another_shape_than_the_others_need_is_a_sentence(kind: str, place: Path) -> None:
    """The header agrees with the bytes, and the tensors do not with each other."""
    _, state = safetensors_scene.read(FILES[kind])
    cut = {name: value[..., :-1].clone() for name, value in state.items() if value.ndim}
    taken = {name for name, value in cut.items() if not refused(place, kind, {**state, name: value})}
    assert taken <= {"raw_density", "base"}, "grids may have other sides"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_shape_a_tensor_has_it_is_a_sentence_or_a_scene_that_is_drawn(
    kind: str, place: Path
) -> None:
    _, state = safetensors_scene.read(FILES[kind])
    for name, value in state.items():
        for other in others(value):
            refused(place, kind, {**state, name: other})


def test_a_column_without_a_row_for_each_primitive_is_a_sentence(place: Path) -> None:
    _, state = safetensors_scene.read(FILES["gaussians"])
    place.write_bytes(safetensors_scene.write("gaussians", {**state, "extra.progress": torch.zeros(19)}))
    with pytest.raises(UserError, match=r"given progress \(19,\), expected \(20,\)"):
        files.load(place)


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
