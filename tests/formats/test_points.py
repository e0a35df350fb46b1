"""Point clouds open as Gaussians that close the gaps between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given
from torch.testing import assert_close

from distill3d import files, sh
from distill3d.camera import orbit
from distill3d.errors import UserError
from distill3d.formats import mesh as mesh_format
from distill3d.formats import points
from distill3d.representations.gaussians import Gaussians
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives


def plane(side: int = 24, colours: bool = True) -> trimesh.PointCloud:
    """A lattice that faces +x."""
    line = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    y, z = np.meshgrid(line, line)
    places = np.stack([0 * y.ravel(), y.ravel(), z.ravel()], 1)
    rgb = np.random.default_rng(0).integers(0, 256, (side**2, 3), dtype=np.uint8)
    return trimesh.PointCloud(places, rgb if colours else None)


@pytest.mark.parametrize("encoding", ["binary", "ascii"])
def test_points_open_where_they_are_in_their_colours(tmp_path: Path, encoding: str):
    cloud = plane()
    (tmp_path / "a.ply").write_bytes(cloud.export(file_type="ply", encoding=encoding))
    scene = files.load(tmp_path / "a.ply")
    assert isinstance(scene, Gaussians) and scene.sh.shape == (576, 1, 3)
    assert_close(scene.means.detach(), torch.tensor(np.asarray(cloud.vertices)).float(), rtol=0, atol=1e-6)
    shown = sh.rgb_from_degree_0(scene.sh.detach()[:, 0])
    assert_close(shown, torch.tensor(cloud.colors[:, :3] / 255).float(), rtol=0, atol=1e-6)


def test_points_without_colours_are_grey_and_a_lattice_of_them_is_closed(tmp_path: Path):
    (tmp_path / "a.ply").write_bytes(plane(colours=False).export(file_type="ply"))
    picture = files.load(tmp_path / "a.ply").render(orbit(torch.zeros(1), 0.0, width=96, height=96))
    middle = (0, slice(40, 56), slice(40, 56))
    assert picture.alpha[middle].min() > 0.8
    straight = picture.rgb[middle] / picture.alpha[middle]
    assert_close(straight, torch.full_like(straight, 0.5), rtol=0, atol=1e-3)


def test_sizes_follow_the_scale_and_neither_order_nor_twins_matter():
    places = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    found = points.sizes(places)
    assert np.allclose(points.sizes(8 * places), 8 * found, rtol=1e-5)
    assert np.allclose(points.sizes(places[::-1]), found[::-1])
    assert np.allclose(points.sizes(np.concatenate([places, places[:7]])), np.concatenate([found, found[:7]]))


def test_a_lattice_has_half_its_spacing_and_a_lonely_point_is_no_balloon():
    line = np.arange(10, dtype=np.float32)
    lattice = np.stack(np.meshgrid(line, line, line), -1).reshape(-1, 3)
    assert np.allclose(points.sizes(lattice), 0.5)
    lonely = points.sizes(np.concatenate([lattice, [[1e6, 0, 0]]]).astype(np.float32))
    assert lonely[-1] == pytest.approx(2.0) and np.allclose(lonely[:-1], 0.5)
    assert points.sizes(np.zeros((1, 3), np.float32)) == points.sizes(np.zeros((3, 3), np.float32))[0] == 0.01


def test_no_points_and_no_numbers_are_refused(tmp_path: Path):
    header = "ply\nformat ascii 1.0\nelement vertex {}\n" + "".join(f"property float {c}\n" for c in "xyz")
    for name, count, rows in (("empty", 0, ""), ("odd", 2, "0 0 0\nnan 0 0\n")):
        (tmp_path / f"{name}.ply").write_text(header.format(count) + "end_header\n" + rows)
        with pytest.raises(UserError, match=rf"{name}\.ply: the (PLY has no faces|mesh has vertices that)"):
            files.load(tmp_path / f"{name}.ply")


FILES = {e: plane(6).export(file_type="ply", encoding=e) for e in ("binary", "ascii")}


def read(data: bytes) -> None:
    shape = mesh_format.read(data, "ply")
    if isinstance(shape, trimesh.PointCloud):
        assert all(torch.isfinite(value).all() for value in points.as_gaussians(shape).values())


@pytest.mark.parametrize("encoding", FILES)
@QUICK
@given(*DAMAGE)
def test_damaged_points_are_a_sentence(encoding, places, cut, swap):
    survives(read, damaged(FILES[encoding], places, cut, swap), times=256)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", FILES)
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_points_are_sentences(encoding, places, cut, swap):
    survives(read, damaged(FILES[encoding], places, cut, swap), times=256)
