"""The definition of `hashgrid` in plain torch: differentiable by autograd in any float type, also twice.

Every rule that the kernels follow is written here, in the same words as in cuda/include/d3d/hashgrid.h.

Source: Müller et al. 2022, Instant Neural Graphics Primitives (arXiv 2201.05989), section 3 and appendix A.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from operator import mul

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.ops.hashgrid_layout import POSITION_LIMIT, PRIMES, HashGrid, Level, levels

UINT32 = 0xFFFFFFFF


def entry_at(level: Level, corner: Sequence[Int[Tensor, "*S"]]) -> Int[Tensor, "*S"]:
    """The entry of the level's table at a corner; in 32 bits without sign, which wrap around."""
    entry = corner[0]
    if level.hashed:
        for axis, place in enumerate(corner[1:], 1):
            entry = entry ^ (place * PRIMES[axis])
        return entry & (level.entries - 1)
    for axis, place in enumerate(corner[1:], 1):
        entry = entry + place * level.resolution**axis
    return (entry & UINT32) % level.entries


def encode_level(
    positions: Float[Tensor, "P D"], table: Float[Tensor, "N F"], level: Level, smooth: bool
) -> Float[Tensor, "P F"]:
    """The D-linear or smoothstep mean of the entries at the corners of each position's cell."""
    scaled = positions * level.scale + 0.5
    cell = scaled.detach().floor()
    upper = scaled - cell
    if smooth:
        upper = upper * upper * (3 - 2 * upper)
    places = [(place, place + 1) for place in cell.long().unbind(1)]
    shares = [(1 - share, share) for share in upper.unbind(1)]
    features = positions.new_zeros(len(positions), table.shape[1])
    for corner in product((0, 1), repeat=positions.shape[1]):
        entry = entry_at(level, [place[upper] for place, upper in zip(places, corner, strict=True)])
        weight = reduce(mul, [share[upper] for share, upper in zip(shares, corner, strict=True)])
        features = features + weight[:, None] * table.index_select(0, level.first + entry)
    return features


def hashgrid(
    positions: Float[Tensor, "P D"], table: Float[Tensor, "N F"], grid: HashGrid
) -> Float[Tensor, "P C"]:
    """Features of every level side by side; see `distill3d.ops.hashgrid.hashgrid`."""
    known = (positions.abs() <= POSITION_LIMIT).all(1, keepdim=True)
    positions = torch.where(known, positions, 0)
    encoded = [encode_level(positions, table, level, grid.smooth) for level in levels(grid)]
    return torch.where(known, torch.cat(encoded, 1), 0)
