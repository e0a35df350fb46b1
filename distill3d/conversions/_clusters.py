"""Many points into few clusters of about equal size: cells of a grid, and then Lloyd's iterations.

Source: Lloyd 1982, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28(2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.spatial import KDTree
from torch import Tensor

ITERATIONS = 2
HALVINGS = 20  # of the interval in which the side of the grid's cells lies, as a ratio


@dataclass(frozen=True)
class Clusters:
    """Which of K clusters each of S points belongs to; none is empty. All on the CPU."""

    of: Int64[Tensor, " S"]
    sizes: Float[Tensor, " K"]
    """How many points belong to each."""

    def __len__(self) -> int:
        return len(self.sizes)

    def sum(self, values: Float[Tensor, "S *D"]) -> Float[Tensor, "K *D"]:
        """Over the points of each cluster."""
        return values.new_zeros(len(self), *values.shape[1:]).index_add(0, self.of, values)

    def mean(self, values: Float[Tensor, "S *D"]) -> Float[Tensor, "K *D"]:
        """Over the points of each cluster."""
        return self.sum(values) / self.sizes.reshape(-1, *[1] * (values.ndim - 1))


def clusters(points: Float[Tensor, "S 3"], count: int, generator: torch.Generator) -> Clusters:
    """At most `count` clusters of `points`, and hardly fewer where there are as many different points."""
    found = _gathered(_cells(points, count, generator))
    for _ in range(ITERATIONS):
        centres = found.mean(points).numpy()
        found = _gathered(torch.from_numpy(KDTree(centres).query(points.numpy())[1]))
    return found


def _gathered(names: Int64[Tensor, " S"]) -> Clusters:
    """Points with the same name belong together."""
    _, of, sizes = names.unique(return_inverse=True, return_counts=True)
    return Clusters(of, sizes.float())


def _cells(points: Float[Tensor, "S 3"], count: int, generator: torch.Generator) -> Int64[Tensor, " S"]:
    """The name of each point's cell in the finest grid of which at most `count` cells have points."""
    shift = torch.rand(3, generator=generator)
    place = points - points.amin(0)
    coarse = float(place.amax()) + 1e-6
    fine = coarse / 2**HALVINGS

    def named(side: float) -> Int64[Tensor, " S"]:
        x, y, z = (place / side + shift).long().unbind(-1)
        return (x << 42) | (y << 21) | z

    if len(named(coarse).unique()) > count:
        return torch.zeros(len(points), dtype=torch.int64)
    for _ in range(HALVINGS):
        side = float(np.sqrt(coarse * fine))
        coarse, fine = (coarse, side) if len(named(side).unique()) > count else (side, fine)
    return named(coarse)
