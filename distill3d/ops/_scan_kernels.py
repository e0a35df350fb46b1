"""The packed scans on the compiled kernels."""

from __future__ import annotations

from ctypes import byref, c_int32, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor

from distill3d.ops import _library as c

_SIZES = [c_int32, c_int32, c_int64, c_int64]

c.declare(
    {
        "d3d_scan": [c_int32, *_SIZES, *[c_void_p] * 3, c.LAUNCH],
        "d3d_scan_gradient": [c_int32, *_SIZES, *[c_void_p] * 4, c.LAUNCH],
    }
)

KINDS = ("sum", "product")


def scan(library: str, kind: str, exclusive: bool, values: Tensor, offsets: Tensor) -> Tensor:
    """Running "sum" or "product" of each ray; see `distill3d.ops.scan`."""
    return _scan(library, KINDS.index(kind), exclusive, values, offsets.int())


@torch.library.custom_op(
    "distill3d::scan",
    mutates_args=(),
    schema="(str library, int kind, bool exclusive, Tensor values, Tensor offsets) -> Tensor",
)
def _scan(library: str, kind: int, exclusive: bool, values: Tensor, offsets: Tensor) -> Tensor:
    values, offsets = values.contiguous(), offsets.contiguous()
    results = torch.empty_like(values)
    pointers = [t.data_ptr() for t in (offsets, values, results)]
    sizes = (kind, exclusive, len(offsets) - 1, len(values))
    c.check(c.library(library).d3d_scan(*sizes, *pointers, byref(c.launch(values.device))))
    return results


@_scan.register_fake
def _(library: str, kind: int, exclusive: bool, values: Tensor, offsets: Tensor) -> Tensor:
    return values.new_empty(values.shape)


@torch.library.custom_op(
    "distill3d::scan_gradient",
    mutates_args=(),
    schema="(str library, int kind, bool exclusive, Tensor by_results, Tensor values, Tensor offsets) "
    "-> Tensor",
)
def _gradient(
    library: str, kind: int, exclusive: bool, by_results: Tensor, values: Tensor, offsets: Tensor
) -> Tensor:
    by_results, values, offsets = by_results.contiguous(), values.contiguous(), offsets.contiguous()
    by_values = torch.empty_like(values)
    pointers = [t.data_ptr() for t in (offsets, values, by_results, by_values)]
    sizes = (kind, exclusive, len(offsets) - 1, len(values))
    c.check(c.library(library).d3d_scan_gradient(*sizes, *pointers, byref(c.launch(values.device))))
    return by_values


@_gradient.register_fake
def _(
    library: str, kind: int, exclusive: bool, by_results: Tensor, values: Tensor, offsets: Tensor
) -> Tensor:
    return values.new_empty(values.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.library, ctx.kind, ctx.exclusive = inputs[:3]
    ctx.save_for_backward(*inputs[3:])


def _backward(ctx: Any, by_results: Tensor) -> tuple[Tensor | None, ...]:
    by_values = _gradient(ctx.library, ctx.kind, ctx.exclusive, by_results, *ctx.saved_tensors)
    return None, None, None, by_values, None


_scan.register_autograd(_backward, setup_context=_keep)
