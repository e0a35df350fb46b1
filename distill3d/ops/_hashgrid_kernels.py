"""`hashgrid` on the compiled kernels: two torch operators and their ties to autograd."""

from __future__ import annotations

from ctypes import POINTER, Structure, byref, c_float, c_int32, c_int64, c_uint32, c_void_p
from typing import Any

import torch
from torch import Tensor

from distill3d.ops import _library as c
from distill3d.ops.hashgrid_layout import MAX_LEVELS, HashGrid, levels


class CGridLevel(Structure):
    _fields_ = [
        ("scale", c_float),
        *[(name, c_uint32) for name in ("resolution", "entries", "hashed", "first")],
    ]


class CHashGrid(Structure):
    _fields_ = [
        *[(name, c_int32) for name in ("dimensions", "features", "levels", "smooth")],
        ("level", CGridLevel * MAX_LEVELS),
        ("table", c_void_p),
    ]


GRID = POINTER(CHashGrid)

c.declare(
    {
        "d3d_hashgrid_encode": [c_int32, GRID, c_int64, c_void_p, c_void_p, c.LAUNCH],
        "d3d_hashgrid_gradient": [c_int32, GRID, c_int64, *[c_void_p] * 4, c.LAUNCH],
    }
)

GRID_SCHEMA = (
    "int dimensions, int levels, int features, "
    "int log2_entries, int base_resolution, float growth, bool smooth, int border"
)
"""The fields of HashGrid, as an operator takes them."""


def settings(grid: HashGrid) -> tuple[int, int, int, int, int, float, bool, int]:
    """The arguments that GRID_SCHEMA names."""
    return (
        grid.dimensions,
        grid.levels,
        grid.features,
        grid.log2_entries,
        grid.base_resolution,
        grid.growth,
        grid.smooth,
        grid.border,
    )


def c_grid(grid: HashGrid, table: Tensor) -> CHashGrid:
    """The C view of a grid with a contiguous float32 table, which must outlive it."""
    rows = [
        (level.scale, level.resolution, level.entries, level.hashed, level.first) for level in levels(grid)
    ]
    array = (CGridLevel * MAX_LEVELS)(*rows)
    return CHashGrid(grid.dimensions, grid.features, grid.levels, int(grid.smooth), array, table.data_ptr())


def aligned(values: Tensor) -> Tensor:
    """Contiguous, and at an address from which a GPU can read whole entries."""
    values = values.contiguous()
    return values if values.data_ptr() % 16 == 0 else values.clone()


def hashgrid(library: str, positions: Tensor, table: Tensor, grid: HashGrid) -> Tensor:
    """The other arguments are those of `distill3d.ops.hashgrid.hashgrid`."""
    return _encode(library, positions, table, *settings(grid))


@torch.library.custom_op(
    "distill3d::hashgrid",
    mutates_args=(),
    schema=f"(str library, Tensor positions, Tensor table, {GRID_SCHEMA}) -> Tensor",
)
def _encode(library: str, positions: Tensor, table: Tensor, *fields: Any) -> Tensor:
    grid = HashGrid(*fields)
    positions, table = positions.contiguous(), aligned(table)
    features = positions.new_empty(len(positions), grid.outputs)
    c.check(
        c.library(library).d3d_hashgrid_encode(
            byref(c_grid(grid, table)),
            len(positions),
            positions.data_ptr(),
            features.data_ptr(),
            byref(c.launch(positions.device)),
        )
    )
    return features


@_encode.register_fake
def _(library: str, positions: Tensor, table: Tensor, *fields: Any) -> Tensor:
    return positions.new_empty(len(positions), HashGrid(*fields).outputs)


@torch.library.custom_op(
    "distill3d::hashgrid_gradient",
    mutates_args=(),
    schema="(str library, Tensor by_features, Tensor positions, Tensor table, "
    f"bool to_positions, bool to_table, {GRID_SCHEMA}) -> (Tensor, Tensor)",
)
def grid_gradient(
    library: str,
    by_features: Tensor,
    positions: Tensor,
    table: Tensor,
    to_positions: bool,
    to_table: bool,
    *fields: Any,
) -> tuple[Tensor, Tensor]:
    """Gradients of positions and table; one that is not asked for is empty."""
    grid = HashGrid(*fields)
    by_features, positions, table = aligned(by_features), positions.contiguous(), aligned(table)
    by_positions = torch.empty_like(positions) if to_positions else positions.new_empty(0)
    by_table = torch.empty_like(table) if to_table else table.new_empty(0)
    c.check(
        c.library(library).d3d_hashgrid_gradient(
            byref(c_grid(grid, table)),
            len(positions),
            positions.data_ptr(),
            by_features.data_ptr(),
            by_table.data_ptr() if to_table else None,
            by_positions.data_ptr() if to_positions else None,
            byref(c.launch(positions.device)),
        )
    )
    return by_positions, by_table


@grid_gradient.register_fake
def _(
    library: str,
    by_features: Tensor,
    positions: Tensor,
    table: Tensor,
    to_positions: bool,
    to_table: bool,
    *fields: Any,
) -> tuple[Tensor, Tensor]:
    return (
        torch.empty_like(positions) if to_positions else positions.new_empty(0),
        torch.empty_like(table) if to_table else table.new_empty(0),
    )


def _save(ctx, inputs, output) -> None:
    ctx.library, positions, table, *ctx.fields = inputs
    ctx.save_for_backward(positions, table)


def _backward(ctx, by_features) -> tuple:
    wanted = ctx.needs_input_grad[1:3]
    by_positions, by_table = grid_gradient(ctx.library, by_features, *ctx.saved_tensors, *wanted, *ctx.fields)
    return (
        None,
        by_positions if wanted[0] else None,
        by_table if wanted[1] else None,
        *[None] * len(ctx.fields),
    )


_encode.register_autograd(_backward, setup_context=_save)
