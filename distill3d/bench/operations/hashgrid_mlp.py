"""A hash grid and a small network on its features, in one pass."""

from __future__ import annotations

import itertools
import math

import torch

from distill3d.bench._case import Case, Target, Work, normal, random, times_the_definition
from distill3d.bench.operations.hashgrid import FLOPS, grid
from distill3d.ops.mlp import hashgrid_mlp

OUTPUTS = 4


def _case(points: int, width: int, *, targets: tuple[Target, ...] = (), at: int = 0) -> Case:
    def prepare(device: torch.device) -> Work:
        layout = grid(8, 16)
        widths = [layout.outputs, width, width, OUTPUTS]
        weights = [
            (normal(into, of, device=device, seed=into) / math.sqrt(of)).requires_grad_()
            for of, into in itertools.pairwise(widths)
        ]
        positions = random(points, 3, device=device)
        table = (1e-2 * normal(*layout.table_shape, device=device)).requires_grad_()
        products = sum(weight.numel() for weight in weights)
        # a product forward and two back; features are never in memory, the table's entries alone are moved
        return Work(
            [table, *weights],
            lambda: [hashgrid_mlp(positions, table, layout, weights)],
            points * (6 * products + FLOPS * layout.outputs),
            4 * points * (layout.outputs * 24 + 2 * OUTPUTS + 3),
        )

    size = f"{points // 1000}k, width {width}"
    return Case("hashgrid_mlp", size, prepare, targets=targets, at=at)


def cases() -> list[Case]:
    """Networks of two hidden layers."""
    return [_case(100_000, 64, targets=(times_the_definition(3),)), _case(100_000, 32)]


def sweep(axis: str) -> list[Case]:
    """Over the number of points."""
    if axis == "primitives":
        return [_case(n, 64, at=n) for n in (1_000, 3_000, 10_000, 30_000, 100_000)]
    return []
