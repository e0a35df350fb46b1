"""Commands on files of others: meshes keep their textures, snapshots their cameras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image

from distill3d import files
from distill3d.representations.gaussians import Gaussians
from tests.commands.conftest import Said
from tests.formats.packing import pack
from tests.formats.test_gaussian_formats import state, within
from tests.formats.test_instant_ngp import content
from tests.formats.test_mesh_files import levels, torn

Run = Callable[..., Said]


def test_a_textured_mesh_changes_its_format_and_nothing_else(distill3d: Run):
    files.save(torn(), "a.glb")
    said = distill3d("export", "a.glb", "--out", "b.OBJ")
    assert said.code == 0 and "b.OBJ" in said.out
    assert sorted(p.name for p in Path().iterdir()) == ["a.glb", "b.OBJ", "b.mtl", "b.png"]
    assert torch.equal(levels(files.load("b.OBJ")), levels(torn()))
    assert distill3d("export", "b.OBJ", "--out", "c.stl").code == 0
    assert len(trimesh.load_mesh("c.stl").faces) == len(torn().faces)


def test_a_mesh_is_no_gaussians(distill3d: Run):
    files.save(torn(), "a.glb")
    said = distill3d("export", "a.glb", "--out", "b.splat")
    assert said.code == 2 and len(said.err.strip().splitlines()) == 1 and not Path("b.splat").exists()


def test_a_snapshot_is_rendered_from_its_own_cameras(distill3d: Run):
    Path("a.ingp").write_bytes(pack(content()))
    said = distill3d("render", "a.ingp", "--cameras", "a.ingp", "--out", "frames")
    assert said.code == 0 and "2 pictures of 12 x 10" in said.out
    with Image.open("frames/0000.png") as picture:
        assert np.asarray(picture).std() > 5
    Path("b.ingp").write_bytes(Path("a.ingp").read_bytes()[:1000])
    said = distill3d("render", "b.ingp", "--out", "others")
    assert said.code == 2 and "cut short" in said.err and not Path("others").exists()


def test_export_makes_it_by_name_and_a_mesh_otherwise(distill3d: Run) -> None:
    files.save(Gaussians(**state(30)), "a.ply")
    assert distill3d("export", "a.ply", "--out", "b.gaussians.glb").code == 0
    again = files.load("b.gaussians.glb")
    assert isinstance(again, Gaussians)
    before = files.load("a.ply").state_dict()
    within(before, again.state_dict(), (1e-6, 1e-3, 1e-5, 1e-6, 1e-5, 1e-5))
    said = distill3d("export", "a.ply", "--out", "c.gaussians.glb", "--frame", "y-up")
    assert said.code == 2 and "is turned to +y up anyway" in said.err and not Path("c.gaussians.glb").exists()
