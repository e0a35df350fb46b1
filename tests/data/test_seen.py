"""What a scene may know before it is fitted: points stand where the photographs show them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from distill3d.data.dataset import open_dataset
from tests.data import folders


@pytest.mark.parametrize("kind", ["bin", "txt"])
def test_points_are_seen_at_the_pixels_where_the_dataset_has_them(tmp_path: Path, kind: str) -> None:
    """Their world and ours differ by a similarity, which no picture shows."""
    theirs = folders.colmap(tmp_path, kind=kind)
    dataset = open_dataset(tmp_path)
    frames = sorted([*dataset.train, *dataset.test], key=lambda frame: frame.name)
    seen = dataset.seen(dataset.cameras(frames))
    assert seen.points is not None and seen.colours is not None and dataset.points is not None
    pixels = []
    for cameras, points in ((theirs, dataset.points.positions), (seen.cameras, seen.points)):
        here = points @ cameras.world_to_camera[:, :3, :3].mT + cameras.world_to_camera[:, None, :3, 3]
        focal, centre = cameras.intrinsics[:, None].split(2, -1)
        pixels.append(focal * here[..., :2] / here[..., 2:] + centre)
    assert_close(pixels[0], pixels[1], rtol=1e-4, atol=1e-3)
    assert_close(seen.colours, torch.tensor([[1.0, 0.0, 0.2]]))


def test_a_dataset_without_points_knows_its_cameras_alone(tmp_path: Path) -> None:
    folders.blender(tmp_path)
    dataset = open_dataset(tmp_path)
    seen = dataset.seen(dataset.cameras(dataset.train))
    assert seen.points is None and len(seen.cameras) == len(dataset.train)
