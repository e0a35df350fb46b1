"""The definition of `voxels`, `triplane` and `vm` in plain torch, differentiable in any float type.

The same rules, in the same words, as in cuda/include/d3d/grids.h.
"""

from __future__ import annotations

from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

PLANES = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""The axes of each plane, across and down, and of the line that stands on it."""


def between(coordinate: Float[Tensor, " P"], size: int) -> tuple[Int[Tensor, " P"], Float[Tensor, "2 P"]]:
    """The entry in front of each coordinate in [-1, 1], and the shares of it and of the next one."""
    place = torch.where(coordinate.isnan(), -1, coordinate).clamp(-1, 1)
    place = (place + 1) * (0.5 * (size - 1))
    at = place.detach().long().clamp_max(size - 2)
    return at, torch.stack([1 - (place - at), place - at])


def blend(table: Float[Tensor, "... C"], coordinates: list[Tensor]) -> Float[Tensor, "P C"]:
    """Linear interpolation along every axis of a table; coordinates in the order of the table's axes."""
    sizes = table.shape[:-1]
    axes = [between(coordinate, size) for coordinate, size in zip(coordinates, sizes, strict=True)]
    result = table.new_zeros(len(coordinates[0]), table.shape[-1])
    for corner in product((0, 1), repeat=len(axes)):
        share = torch.stack([shares[side] for side, (_, shares) in zip(corner, axes, strict=True)]).prod(0)
        index = tuple(at + side for side, (at, _) in zip(corner, axes, strict=True))
        result = result + share[:, None] * table[index]
    return result


def voxels(table: Float[Tensor, "Z Y X C"], points: Float[Tensor, "P 3"]) -> Float[Tensor, "P C"]:
    """See `distill3d.ops.grids.voxels`."""
    x, y, z = points.unbind(1)
    return blend(table, [z, y, x])


def triplane(planes: Float[Tensor, "3 N N C"], points: Float[Tensor, "P 3"]) -> Float[Tensor, "P C"]:
    """See `distill3d.ops.grids.triplane`."""
    axes = points.unbind(1)
    return sum(
        blend(plane, [axes[down], axes[across]])
        for plane, (across, down, _) in zip(planes, PLANES, strict=True)
    )  # type: ignore[return-value]


def vm(
    planes: Float[Tensor, "3 N N C"], lines: Float[Tensor, "3 N C"], points: Float[Tensor, "P 3"]
) -> Float[Tensor, "P 3*C"]:
    """See `distill3d.ops.grids.vm`."""
    axes = points.unbind(1)
    products = [
        blend(plane, [axes[down], axes[across]]) * blend(line, [axes[along]])
        for plane, line, (across, down, along) in zip(planes, lines, PLANES, strict=True)
    ]
    return torch.cat(products, 1)
