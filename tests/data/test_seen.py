"""What a scene may know before it is fitted: points stand where the photographs show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.camera import Cameras
from distill3d.data.dataset import Dataset, open_dataset
from distill3d.errors import UserError
from distill3d.representations.gaussians import Gaussians
from distill3d.scene import Seen
from tests.data import folders

CLOSE = {"rtol": 1e-4, "atol": 1e-3}


def opened(folder: Path) -> tuple[Dataset, Seen]:
    """The dataset, and what is known of it before a fit to all its frames in the order of their names."""
    dataset = open_dataset(folder)
    frames = sorted([*dataset.train, *dataset.test], key=lambda frame: frame.name)
    return dataset, dataset.seen(dataset.cameras(frames))


def pixels(cameras: Cameras, points: Tensor) -> Tensor:
    """Where cameras [N] see points [P]: [N, P, 2]."""
    here = points @ cameras.world_to_camera[:, :3, :3].mT + cameras.world_to_camera[:, None, :3, 3]
    focal, centre = cameras.intrinsics[:, None].split(2, -1)
    return focal * here[..., :2] / here[..., 2:] + centre


@pytest.mark.parametrize("kind", ["bin", "txt"])
def test_points_are_seen_at_the_pixels_where_the_dataset_has_them(tmp_path: Path, kind: str) -> None:
    """Their world and ours differ by a similarity, which no picture shows."""
    theirs = folders.colmap(tmp_path, kind=kind)
    dataset, seen = opened(tmp_path)
    assert seen.points is not None and seen.colours is not None and dataset.points is not None
    assert_close(pixels(seen.cameras, seen.points), pixels(theirs, dataset.points.positions), **CLOSE)
    assert_close(seen.colours, torch.tensor([[1.0, 0.0, 0.2]]))


APPLIED = {"applied_transform": [[1, 0, 0, 0.5], [0, 0, 1, -2], [0, -1, 0, 0.25]], "applied_scale": 0.5}
"""As nerfstudio turns COLMAP's world."""


@pytest.mark.parametrize("done", [{}, APPLIED])
@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_points_of_nerfstudio_are_seen_where_its_cameras_see_them(
    tmp_path: Path, form: str, done: dict[str, Any]
) -> None:
    """What has been done to its world has been done to both, and is undone for both."""
    theirs = folders.nerfstudio(tmp_path, ply_file_path="sparse_pc.ply", **done)
    points = torch.tensor([[0.5, -0.25, 0.125], [-0.5, 0, 0.25], [torch.nan, 0, 0]])
    colours = torch.tensor([[255, 0, 51], [0, 102, 255], [0, 0, 0]], dtype=torch.uint8)
    (tmp_path / "sparse_pc.ply").write_bytes(folders.ply(points, colours, form))
    dataset, seen = opened(tmp_path)
    assert seen.points is not None and seen.colours is not None
    assert_close(pixels(seen.cameras, seen.points), pixels(theirs, points[:2]), **CLOSE)
    assert_close(seen.colours, colours[:2] / 255)
    assert dataset.points is not None
    undone = torch.tensor([*done["applied_transform"], [0, 0, 0, 2]]) / 2 if done else torch.eye(4)
    assert_close(dataset.points.positions @ undone[:3, :3].T + undone[:3, 3], points[:2])


def test_points_without_colours_are_grey(tmp_path: Path) -> None:
    folders.nerfstudio(tmp_path, ply_file_path="sparse_pc.ply")
    (tmp_path / "sparse_pc.ply").write_bytes(folders.ply(torch.rand(4, 3), None, "ascii"))
    assert_close(opened(tmp_path)[1].colours, torch.full((4, 3), 0.5))


def test_a_fit_starts_at_the_points_of_nerfstudio(tmp_path: Path) -> None:
    folders.nerfstudio(tmp_path, ply_file_path="./points/sparse.ply")
    (tmp_path / "points").mkdir()
    points = torch.rand(300, 3) - 0.5
    (tmp_path / "points" / "sparse.ply").write_bytes(folders.ply(points, None, "binary_little_endian"))
    _, seen = opened(tmp_path)
    started = Gaussians.from_photographs(seen, seed=0)
    assert torch.equal(started.means, seen.points)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("gone.ply", None, "gone.ply are not there"),
        (3, None, "ply_file_path is 3; expected"),
        ("p.ply", b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n", "lack y, z"),
        ("p.ply", b"no", "p.ply: not a PLY"),
        ("p.ply", folders.ply(torch.zeros(9, 3), None, "ascii")[:-8], "hold 25 numbers, and 9 rows need 27"),
    ],
)
def test_points_that_are_none_are_a_sentence(
    tmp_path: Path, name: object, content: bytes | None, reason: str
) -> None:
    folders.nerfstudio(tmp_path, ply_file_path=name)
    if content is not None:
        (tmp_path / "p.ply").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        open_dataset(tmp_path)


def test_a_dataset_without_points_knows_its_cameras_alone(tmp_path: Path) -> None:
    folders.blender(tmp_path)
    dataset = open_dataset(tmp_path)
    seen = dataset.seen(dataset.cameras(dataset.train))
    assert seen.points is None and len(seen.cameras) == len(dataset.train)
