"""Multiresolution hash grid at random points."""

from __future__ import annotations

import torch

from distill3d.bench._case import Case, Target, Work, normal, random, times_the_definition
from distill3d.ops.hashgrid import HashGrid, hashgrid

CORNERS = 8
FLOPS = 2 * (2 * CORNERS * 2 + 20)
"""For each point, level and feature: eight corners weighed, forward and back."""


def grid(levels: int, log2_entries: int) -> HashGrid:
    """Two features in each level, from 16 cells along a side."""
    return HashGrid(levels=levels, features=2, log2_entries=log2_entries)


def _case(
    points: int, levels: int, log2_entries: int, *, targets: tuple[Target, ...] = (), at: int = 0
) -> Case:
    def prepare(device: torch.device) -> Work:
        layout = grid(levels, log2_entries)
        positions = random(points, 3, device=device)
        table = (1e-2 * normal(*layout.table_shape, device=device)).requires_grad_()
        # entries of all corners read, and read and written again; a point's features and gradients
        floats = points * levels * 2 * (3 * CORNERS + 2) + 3 * points
        return Work(
            [table],
            lambda: [hashgrid(positions, table, layout)],
            FLOPS * points * levels * 2,
            4 * floats,
        )

    size = f"{points // 1000}k, {levels} levels, 2^{log2_entries}"
    return Case("hashgrid", size, prepare, rivals=("tinycudann",), targets=targets, at=at)


def cases() -> list[Case]:
    """Small, as for pictures of text to 3-D, and large, as for photographs."""
    return [_case(100_000, 8, 16, targets=(times_the_definition(8),)), _case(100_000, 16, 19)]


def sweep(axis: str) -> list[Case]:
    """Over the number of points."""
    if axis == "primitives":
        return [_case(n, 8, 16, at=n) for n in (1_000, 3_000, 10_000, 30_000, 100_000)]
    return []
