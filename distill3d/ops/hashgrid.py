"""Features of positions from a multiresolution hash grid, differentiably.

Source: Müller et al. 2022, Instant Neural Graphics Primitives (arXiv 2201.05989); the exact rules are in
`hashgrid_layout` and `hashgrid_reference`.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from distill3d.ops import _hashgrid_kernels, _hashgrid_tinycudann, backends, hashgrid_reference
from distill3d.ops.hashgrid_layout import HashGrid

__all__ = ["HashGrid", "check", "hashgrid"]


def hashgrid(
    positions: Float[Tensor, "P D"], table: Float[Tensor, "N F"], grid: HashGrid
) -> Float[Tensor, "P C"]:
    """Features [P, grid.outputs] of positions; differentiable in positions and table.

    `table` has shape `grid.table_shape`. Positions are meant to lie in [0, 1]; beyond, the grid goes on
    with entries that it has used before, and a position that is not finite or has a coordinate beyond ±1024
    gets zeros and gives no gradient. The compiled backends differentiate once, `use("reference")` any number
    of times.

    Raises ValueError for shapes that do not agree, TypeError for other than float32 on a compiled backend.
    """
    check(positions, table, grid)
    backend = backends.choose("hashgrid", positions, table)
    if backend == "reference":
        return hashgrid_reference.hashgrid(positions, table, grid)
    if backend == "tinycudann":
        return _hashgrid_tinycudann.hashgrid(positions, table, grid)
    return _hashgrid_kernels.hashgrid(backend, positions, table, grid)


def check(positions: Tensor, table: Tensor, grid: HashGrid) -> None:
    """Raise ValueError where positions or table do not fit the grid."""
    if positions.ndim != 2 or positions.shape[1] != grid.dimensions:
        raise ValueError(
            f"given positions {tuple(positions.shape)}, expected (any number, {grid.dimensions}) "
            f"for a grid of {grid.dimensions} dimensions"
        )
    if tuple(table.shape) != grid.table_shape:
        raise ValueError(
            f"given a table {tuple(table.shape)}, expected {grid.table_shape} for {grid}; "
            "make it with that grid's table_shape"
        )
