"""load and save: every kind of scene comes back; what is not a scene says so."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch

from distill3d import files
from distill3d.camera import turntable
from distill3d.errors import UserError
from distill3d.formats import safetensors_scene
from distill3d.scene import Scene
from tests.representations.small import KINDS, start


def _same(a: Scene, b: Scene) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return set(ours) == set(theirs) and all(torch.equal(v, theirs[k]) for k, v in ours.items())


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_of_any_kind_comes_back_from_our_own_format(tmp_path: Path, kind: str) -> None:
    scene = start(kind, seed=3)
    files.save(scene, tmp_path / "a.safetensors")
    found = files.load(tmp_path / "a.safetensors")
    assert files.kind_of(found) == kind and _same(found, scene)


def test_gaussians_come_back_from_ply_and_render_the_same(tmp_path: Path) -> None:
    scene = start("gaussians", seed=3)
    files.save(scene, tmp_path / "a.ply")
    cameras = turntable(2, width=16, height=16)
    assert torch.equal(files.load(tmp_path / "a.ply").render(cameras).rgb, scene.render(cameras).rgb)


def test_a_run_folder_stands_for_its_scene(tmp_path: Path) -> None:
    scene = start("voxels", seed=3)
    with pytest.raises(
        UserError, match=r"holds no scene; expected a file, or a run's folder with scene.ply or"
    ):
        files.load(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UserError, match=r"holds no scene yet.*--resume"):
        files.load(tmp_path)
    files.save(scene, tmp_path / "scene.safetensors")
    assert _same(files.load(tmp_path), scene)


def test_voxels_are_no_gaussians(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"voxels cannot be saved as \.ply; use \.safetensors"):
        files.save(start("voxels", seed=3), tmp_path / "a.ply")
    assert list(tmp_path.iterdir()) == []


def test_numbers_and_words_in_a_state_survive() -> None:
    state = {"grid": torch.arange(3.0), "count": 3, "name": "x", "pair": [1, 2.5]}
    kind, back = safetensors_scene.read(safetensors_scene.write("odd", state))
    assert kind == "odd" and torch.equal(back.pop("grid"), state.pop("grid")) and back == state


def test_a_file_cut_anywhere_is_refused() -> None:
    data = safetensors_scene.write("voxels", start("voxels", seed=3).state_dict())
    for part in (0, 4, 8, 50, len(data) // 2, len(data) - 1):
        with pytest.raises(UserError, match="safetensors"):
            safetensors_scene.read(data[:part])


def test_safetensors_of_others_and_unknown_kinds_are_refused(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    foreign = struct.pack("<Q", len(header)) + header + b"\0\0\0\0"
    (tmp_path / "a.safetensors").write_bytes(foreign)
    with pytest.raises(UserError, match=r"a\.safetensors: a safetensors file, but not a"):
        files.load(tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(safetensors_scene.write("voxel", {"a": torch.zeros(1)}))
    with pytest.raises(UserError, match='unknown kind of scene "voxel"; did you mean voxels'):
        files.load(tmp_path / "b.safetensors")


def test_other_files_and_missing_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(UserError, match=r"a\.txt: not a scene; expected"):
        files.load(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError):
        files.load(tmp_path / "nothing.ply")
