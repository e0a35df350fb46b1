"""The occupancy of a field of instant-ngp: which cells of ours have something in them.

Source: Müller et al. 2022 (arXiv 2201.05989), appendix E.2; instant-ngp's testbed_nerf.cu. The grid keeps the
optical thickness of a step for every cell, in Morton order; cascade k covers the cube of side 2ᵏ around ½,
and cells that hold no more than the lesser of 0.01 and the mean are empty.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.errors import UserError
from distill3d.representations.instant_ngp import InstantNgp

SIDE = 128
MAX_CASCADES = 8
STEP = math.sqrt(3) / 1024
"""Length of a step that a thickness is meant for, in the source's units."""
FAINTEST = 0.01
AT_ONCE = 1 << 18
"""Cells that are looked at together."""


def remembered(field: InstantNgp, thickness: np.ndarray) -> Float[Tensor, "G G G"]:
    """The densities of the occupancy grid of `field`, from the thickness as float16 [cascades · 128³]."""
    cascades, rest = divmod(len(thickness), SIDE**3)
    if rest or not 1 <= cascades <= MAX_CASCADES:
        raise UserError(
            f"the snapshot's density grid has {len(thickness)} cells; expected 1 to {MAX_CASCADES} times 128³"
        )
    values = torch.from_numpy(np.nan_to_num(thickness.astype(np.float32)))
    finest = values[: SIDE**3]
    full = values > min(FAINTEST, float(finest.clamp_min(0).mean()))
    densities = torch.zeros_like(field.remembered).reshape(-1)
    for cells in full.nonzero()[:, 0].split(AT_ONCE):
        density = values[cells] / STEP * field.source_units()
        _spread(field, cells, density, densities)
    return densities.reshape(field.remembered.shape)


def _spread(
    field: InstantNgp, cells: Int[Tensor, " P"], density: Float[Tensor, " P"], densities: Tensor
) -> None:
    """Let each of our cells know the largest density of those that have a corner in it.

    A coarser cascade counts only where no finer one is.
    """
    side = field.remembered.shape[0]
    cascade = cells // SIDE**3
    places = unmorton(cells % SIDE**3)
    inner = (cascade > 0) & ((places >= SIDE // 4) & (places < SIDE - SIDE // 4)).all(1)
    places, cascade, density = places[~inner], cascade[~inner], density[~inner]
    width = (2.0**cascade / SIDE)[:, None]
    lowest = 0.5 - 2.0 ** (cascade[:, None] - 1) + places * width
    rotation = field.to_source[:, :3]
    back = rotation.T / field.source_units() ** 2
    for corner in range(8):
        share = torch.tensor([0.001 + 0.998 * (corner >> axis & 1) for axis in range(3)])
        at = (lowest + share * width - field.to_source[:, 3]) @ back.T
        cell = ((at + 1) * (side / 2)).floor().long()
        within = ((cell >= 0) & (cell < side)).all(1)
        x, y, z = cell[within].unbind(1)
        densities.scatter_reduce_(0, (z * side + y) * side + x, density[within], "amax")


def unmorton(index: Int[Tensor, " P"]) -> Int[Tensor, "P 3"]:
    """x, y and z under 128, whose bits take turns in a Morton index, those of x lowest."""
    bits = torch.arange(7)
    places = [((index[:, None] >> (3 * bits + axis)) & 1) << bits for axis in range(3)]
    return torch.stack([place.sum(1) for place in places], 1)
