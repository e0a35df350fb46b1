"""A batch of cameras as a row of single ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from distill3d.camera import Cameras


def each(cameras: Cameras) -> Iterator[Cameras]:
    """Every camera of a batch of any shape, in order."""
    world_to_camera = cameras.world_to_camera.reshape(-1, 4, 4)
    intrinsics = cameras.intrinsics.reshape(-1, 4)
    for matrix, in_px in zip(world_to_camera, intrinsics, strict=True):
        yield replace(cameras, world_to_camera=matrix, intrinsics=in_px)


def of_each(table: Tensor, cameras: Cameras) -> Iterator[Tensor]:
    """For every camera its part of a table [*B, N, C], or all of a table [N, C] that cameras share."""
    views = cameras.shape.numel()
    if table.ndim == 2:
        table = table.expand(views, *table.shape)
    yield from table.reshape(views, *table.shape[-2:])
