"""Which points of a grid lie inside surfaces, by counting how often lines go in and out.

A line along z meets triangles that face down where it enters, and others that face up where it leaves. Where
it has entered more or less often than left, it is inside: the winding number is not 0, whichever way the
surface faces. A line that ends inside has gone through a gap, and says nothing. Lines along x and y are asked
too, and two of the three have to agree: surfaces with gaps have an inside, sheets have none.

Source: Nooruddin and Turk 2003, Simplification and Repair of Polygonal Models Using Volumetric Techniques,
section 3.2 (votes of lines), with winding numbers in place of parity.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

AT_ONCE = 2_000_000
"""Pairs of a triangle and a column that are worked on together."""
ASIDE = 1e-6 * np.array([0.7548, 0.5698])
"""How far lines stand beside the columns, in columns, so that they meet no edge that lies on the grid."""


def inside(triangles: Float[np.ndarray, "F 3 3"], resolution: int) -> Bool[np.ndarray, "N N N"]:
    """For the centres of the voxels of [-1, 1]³, indexed [x, y, z]."""
    grid = (triangles + 1) * (resolution / 2) - 0.5  # voxel centres at whole numbers
    votes = np.zeros((resolution,) * 3, np.int8)
    for last in range(3):
        axes = [axis for axis in range(3) if axis != last] + [last]
        votes += _along_lines(grid[..., axes], resolution).transpose(np.argsort(axes))
    return votes >= 2


def _along_lines(grid: Float[np.ndarray, "F 3 3"], resolution: int) -> Bool[np.ndarray, "N N N"]:
    """The same by lines along the last axis alone, for triangles in voxels."""
    grid = grid - np.array([*ASIDE, 0])
    crossings = np.zeros(resolution**2 * (resolution + 1), np.int32)
    low = np.ceil(grid[..., :2].min(1)).clip(0, resolution).astype(np.int64)
    high = np.floor(grid[..., :2].max(1)).clip(-1, resolution - 1).astype(np.int64)
    size = (high - low + 1).clip(0)
    columns = size.prod(1)
    for part in _parts(columns):
        triangle = np.repeat(part, columns[part])
        index = np.arange(len(triangle)) - np.repeat(np.cumsum(columns[part]) - columns[part], columns[part])
        column = low[triangle] + np.stack(np.divmod(index, size[triangle, 1]), 1)
        hit, height, direction = _crossed(grid[triangle], column)
        first = np.ceil(height).clip(0, resolution).astype(np.int64)
        x, y = column[hit].T
        np.add.at(crossings, (x * resolution + y) * (resolution + 1) + first, direction)
    winding = crossings.reshape(resolution, resolution, resolution + 1).cumsum(2)
    return (winding[..., :-1] != 0) & (winding[..., -1:] == 0)


def _parts(columns: Int[np.ndarray, " F"]) -> list[np.ndarray]:
    """Triangles with a column or more, so many together that their columns are about AT_ONCE."""
    some = columns.nonzero()[0]
    part = columns[some].cumsum() // AT_ONCE
    return np.split(some, np.diff(part).nonzero()[0] + 1)


def _crossed(
    triangles: Float[np.ndarray, "P 3 3"], column: Int[np.ndarray, "P 2"]
) -> tuple[Bool[np.ndarray, " P"], Float[np.ndarray, " H"], Int[np.ndarray, " H"]]:
    """Where lines along z meet their triangles; of those: the heights, and 1 for going in, -1 for out."""
    towards = triangles[..., :2] - column[:, None]
    x, y = towards[..., 0], towards[..., 1]
    # twice the areas that the line's foot spans with the edges opposite to the corners
    areas = np.roll(x, -1, 1) * np.roll(y, -2, 1) - np.roll(x, -2, 1) * np.roll(y, -1, 1)
    hit = np.abs(np.sign(areas).sum(1)) == 3
    total = areas[hit].sum(1)
    heights = (areas[hit] * triangles[hit][..., 2]).sum(1) / total
    return hit, heights, np.where(total > 0, -1, 1)
