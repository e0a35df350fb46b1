"""A batch of cameras as a row of single ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from distill3d.camera import Cameras


def each(cameras: Cameras) -> Iterator[Cameras]:
    """Every camera of a batch of any shape, in order."""
    world_to_camera = cameras.world_to_camera.reshape(-1, 4, 4)
    intrinsics = cameras.intrinsics.reshape(-1, 4)
    for matrix, in_px in zip(world_to_camera, intrinsics, strict=True):
        yield replace(cameras, world_to_camera=matrix, intrinsics=in_px)
