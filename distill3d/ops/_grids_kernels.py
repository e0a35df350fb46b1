"""`voxels`, `triplane` and `vm` on the compiled kernels."""

from __future__ import annotations

from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor

from distill3d.ops import _library as c

KINDS = ("voxels", "triplane", "vm")


class CGrid(Structure):
    _fields_ = [
        ("kind", c_int32),
        ("channels", c_int32),
        ("size", c_int32 * 3),
        ("table", c_void_p),
        ("lines", c_void_p),
    ]


c.declare(
    {
        "d3d_grid_sample": [c_int32, POINTER(CGrid), c_int64, c_void_p, c_void_p, c.LAUNCH],
        "d3d_grid_gradient_bytes": [c_int64, POINTER(CGrid), c_int64],
        "d3d_grid_gradient": [c_int32, POINTER(CGrid), c_int64, *[c_void_p] * 6, c.LAUNCH],
    }
)


def sample(library: str, kind: str, table: Tensor, lines: Tensor | None, points: Tensor) -> Tensor:
    """Features at points; the other arguments are those of `distill3d.ops.grids`."""
    return _sample(library, KINDS.index(kind), table, lines, points)


def _grid(kind: int, table: Tensor, lines: Tensor | None) -> CGrid:
    """The C view of contiguous tables, which must outlive it."""
    z, y, x, channels = table.shape
    sizes = (c_int32 * 3)(*((x, y, z) if kind == 0 else (x, x, x)))
    return CGrid(kind, channels, sizes, table.data_ptr(), None if lines is None else lines.data_ptr())


def _empty(kind: int, table: Tensor, points: Tensor) -> Tensor:
    return table.new_empty(len(points), table.shape[3] * (3 if kind == 2 else 1))


@torch.library.custom_op(
    "distill3d::grid_sample",
    mutates_args=(),
    schema="(str library, int kind, Tensor table, Tensor? lines, Tensor points) -> Tensor",
)
def _sample(library: str, kind: int, table: Tensor, lines: Tensor | None, points: Tensor) -> Tensor:
    table, points = table.contiguous(), points.contiguous()
    lines = None if lines is None else lines.contiguous()
    result = _empty(kind, table, points)
    grid, launch = byref(_grid(kind, table, lines)), byref(c.launch(table.device))
    c.check(
        c.library(library).d3d_grid_sample(grid, len(points), points.data_ptr(), result.data_ptr(), launch)
    )
    return result


@_sample.register_fake
def _(library: str, kind: int, table: Tensor, lines: Tensor | None, points: Tensor) -> Tensor:
    return _empty(kind, table, points)


@torch.library.custom_op(
    "distill3d::grid_gradient",
    mutates_args=(),
    schema="(str library, int kind, Tensor by_results, Tensor table, Tensor? lines, Tensor points, "
    "bool want_table, bool want_lines, bool want_points) -> (Tensor, Tensor, Tensor)",
)
def _gradient(
    library: str,
    kind: int,
    by_results: Tensor,
    table: Tensor,
    lines: Tensor | None,
    points: Tensor,
    want_table: bool,
    want_lines: bool,
    want_points: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of table, lines and points; those that are not wanted are empty."""
    by_results, table, points = by_results.contiguous(), table.contiguous(), points.contiguous()
    lines = None if lines is None else lines.contiguous()
    kernels = c.library(library)
    grid, launch = byref(_grid(kind, table, lines)), byref(c.launch(table.device))
    results = _gradients(table, lines, points, want_table, want_lines, want_points)
    scratch = c.workspace(kernels.d3d_grid_gradient_bytes(grid, len(points)), table.device)
    wanted = (want_table, want_lines, want_points)
    pointers = [r.data_ptr() if want else None for r, want in zip(results, wanted, strict=True)]
    inputs = (points.data_ptr(), by_results.data_ptr())
    c.check(kernels.d3d_grid_gradient(grid, len(points), *inputs, *pointers, scratch.data_ptr(), launch))
    return results


def _gradients(
    table: Tensor,
    lines: Tensor | None,
    points: Tensor,
    want_table: bool,
    want_lines: bool,
    want_points: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        table.new_empty(table.shape if want_table else (0,)),
        table.new_empty(lines.shape if lines is not None and want_lines else (0,)),
        table.new_empty(points.shape if want_points else (0,)),
    )


@_gradient.register_fake
def _(
    library: str,
    kind: int,
    by_results: Tensor,
    table: Tensor,
    lines: Tensor | None,
    points: Tensor,
    want_table: bool,
    want_lines: bool,
    want_points: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    return _gradients(table, lines, points, want_table, want_lines, want_points)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.library, ctx.kind, table, lines, points = inputs
    ctx.save_for_backward(table, lines, points)


def _backward(ctx: Any, by_results: Tensor) -> tuple[Tensor | None, ...]:
    table, lines, points = ctx.saved_tensors
    wanted = ctx.needs_input_grad[2:5]
    by = _gradient(ctx.library, ctx.kind, by_results, table, lines, points, *wanted)
    return None, None, *[gradient if want else None for gradient, want in zip(by, wanted, strict=True)]


_sample.register_autograd(_backward, setup_context=_keep)
