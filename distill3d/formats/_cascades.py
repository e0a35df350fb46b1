"""The occupancy grids of instant-ngp and torch-ngp: which cells of ours have something in them.

Source: Müller et al. 2022 (arXiv 2201.05989), appendix E.2. There are 128³ cells in Morton order in every
cascade, each of which covers a cube around the same centre and twice as large as the one before.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from distill3d.errors import UserError
from distill3d.field import FAINTEST
from distill3d.representations._placed import Placed

SIDE = 128
MAX_CASCADES = 8
AT_ONCE = 1 << 18
"""Cells that are looked at together."""


def count(cells: int) -> int:
    """How many cascades have so many cells."""
    cascades, rest = divmod(cells, SIDE**3)
    if rest or not 1 <= cascades <= MAX_CASCADES:
        raise UserError(f"a density grid of {cells} cells; expected 1 to {MAX_CASCADES} times 128³")
    return cascades


@torch.no_grad()
def remembered(
    field: Placed, full: Bool[Tensor, " C"], density: Float[Tensor, " C"], *, centre: float, half: float
) -> Float[Tensor, "G G G"]:
    """The densities for the occupancy grid of `field`, none where no cell is `full`.

    `density` is per unit of the source; the finest cascade is the cube `centre` ± `half` of its coordinates.
    """
    densities = torch.zeros_like(field.remembered).reshape(-1)
    for cells in full.nonzero()[:, 0].split(AT_ONCE):
        found = (density[cells] * field.source_units()).clamp_min(2 * FAINTEST)
        _spread(field, cells, found, densities, centre=centre, half=half)
    return densities.reshape(field.remembered.shape)


def _spread(
    field: Placed,
    cells: Int[Tensor, " P"],
    found: Float[Tensor, " P"],
    densities: Tensor,
    *,
    centre: float,
    half: float,
) -> None:
    """Let each of our cells know the largest density of those that have a corner in it.

    A coarser cascade counts only where no finer one is.
    """
    side = field.remembered.shape[0]
    cascade, places = cells // SIDE**3, unmorton(cells % SIDE**3)
    inner = (cascade > 0) & ((places >= SIDE // 4) & (places < SIDE - SIDE // 4)).all(1)
    places, cascade, found = places[~inner], cascade[~inner, None], found[~inner]
    width = 2 * half * 2.0**cascade / SIDE
    lowest = centre - half * 2.0**cascade + places * width
    back = field.to_source[:, :3] / field.source_units() ** 2
    for corner in range(8):
        share = torch.tensor([0.001 + 0.998 * (corner >> axis & 1) for axis in range(3)])
        at = (lowest + share * width - field.to_source[:, 3]) @ back
        cell = ((at + 1) * (side / 2)).floor().long()
        within = ((cell >= 0) & (cell < side)).all(1)
        x, y, z = cell[within].unbind(1)
        densities.scatter_reduce_(0, (z * side + y) * side + x, found[within], "amax")


def unrolled(full: Bool[Tensor, " C"]) -> Bool[Tensor, "K X Y Z"]:
    """The cells of each cascade by x, y, z: in Morton indices bits of z, y, x take turns, highest first."""
    bits = full.reshape(-1, *[2] * 21)
    return bits.permute(0, *range(3, 22, 3), *range(2, 22, 3), *range(1, 22, 3)).reshape(-1, SIDE, SIDE, SIDE)


def unmorton(index: Int[Tensor, " P"]) -> Int[Tensor, "P 3"]:
    """x, y and z under 128, whose bits take turns in a Morton index, those of x lowest."""
    bits = torch.arange(7)
    places = [((index[:, None] >> (3 * bits + axis)) & 1) << bits for axis in range(3)]
    return torch.stack([place.sum(1) for place in places], 1)
