"""Trilinear interpolation in a dense grid, at random points."""

from __future__ import annotations

import torch

from distill3d.bench._case import Case, Work, random
from distill3d.ops.grids import voxels

SIDE, CORNERS = 64, 8


def _case(points: int, channels: int, *, at: int = 0) -> Case:
    def prepare(device: torch.device) -> Work:
        table = random(SIDE, SIDE, SIDE, channels, device=device).requires_grad_()
        where = (2 * random(points, 3, device=device, seed=1) - 1).requires_grad_()
        # corners weighed, spread again, and their differences for the points' gradient
        return Work(
            [table, where],
            lambda: [voxels(table, where)],
            points * channels * CORNERS * (2 + 2 + 6) + points * 60,
            4 * (points * channels * (4 * CORNERS + 2) + 3 * table.numel()),
        )

    return Case("voxels", f"{points // 1000}k, {SIDE}³ × {channels}", prepare, at=at)


def cases() -> list[Case]:
    """A density and colour, and a row of features."""
    return [_case(100_000, 4), _case(100_000, 32)]


def sweep(axis: str) -> list[Case]:
    """Over points and channels."""
    if axis == "primitives":
        return [_case(n, 4, at=n) for n in (1_000, 3_000, 10_000, 30_000, 100_000)]
    if axis == "channels":
        return [_case(10_000, channels, at=channels) for channels in (1, 4, 16, 64)]
    return []
