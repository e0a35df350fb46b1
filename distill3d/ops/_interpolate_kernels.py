"""`interpolate` on the compiled kernels."""

from __future__ import annotations

from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p

import torch
from torch import Tensor

from distill3d.ops import _library as c


class CAttributes(Structure):
    _fields_ = [
        ("count", c_int64),
        ("face_count", c_int64),
        ("channels", c_int32),
        ("values", c_void_p),
        ("indices", c_void_p),
    ]


class CSpots(Structure):
    _fields_ = [("count", c_int64), ("triangle", c_void_p), ("barycentric", c_void_p)]


ATTRIBUTES, SPOTS = POINTER(CAttributes), POINTER(CSpots)

c.declare(
    {
        "d3d_interpolate": [c_int32, ATTRIBUTES, SPOTS, c_void_p, c.LAUNCH],
        "d3d_interpolate_gradient_bytes": [c_int64, ATTRIBUTES, SPOTS, c.LAUNCH],
        "d3d_interpolate_gradient": [c_int32, ATTRIBUTES, SPOTS, *[c_void_p] * 4, c.LAUNCH],
    }
)


def interpolate(
    library: str, attributes: Tensor, indices: Tensor, triangle: Tensor, barycentric: Tensor
) -> Tensor:
    """See `distill3d.ops.interpolate.interpolate`."""
    values = _interpolate(library, attributes, indices, triangle.reshape(-1), barycentric.reshape(-1, 3))
    return values.reshape(*triangle.shape, attributes.shape[1])


class _Views:
    """The C views of the inputs, and the contiguous tensors behind them."""

    def __init__(self, attributes: Tensor, indices: Tensor, triangle: Tensor, barycentric: Tensor) -> None:
        self.kept = [
            attributes.contiguous(),
            indices.to(torch.int32).contiguous(),
            triangle.contiguous(),
            barycentric.contiguous(),
        ]
        values, corners, faces, weights = (tensor.data_ptr() for tensor in self.kept)
        self.attributes = byref(
            CAttributes(*attributes.shape[:1], len(indices), attributes.shape[1], values, corners)
        )
        self.spots = byref(CSpots(len(triangle), faces, weights))


@torch.library.custom_op(
    "distill3d::interpolate",
    mutates_args=(),
    schema="(str library, Tensor attributes, Tensor indices, Tensor triangle, Tensor barycentric) -> Tensor",
)
def _interpolate(
    library: str, attributes: Tensor, indices: Tensor, triangle: Tensor, barycentric: Tensor
) -> Tensor:
    views = _Views(attributes, indices, triangle, barycentric)
    out = attributes.new_empty(len(triangle), attributes.shape[1])
    launch = byref(c.launch(attributes.device))
    c.check(c.library(library).d3d_interpolate(views.attributes, views.spots, out.data_ptr(), launch))
    return out


@_interpolate.register_fake
def _(library: str, attributes: Tensor, indices: Tensor, triangle: Tensor, barycentric: Tensor) -> Tensor:
    return attributes.new_empty(len(triangle), attributes.shape[1])


@torch.library.custom_op(
    "distill3d::interpolate_gradient",
    mutates_args=(),
    schema="(str library, Tensor by_out, Tensor attributes, Tensor indices, Tensor triangle, "
    "Tensor barycentric) -> (Tensor, Tensor)",
)
def _gradient(
    library: str, by_out: Tensor, attributes: Tensor, indices: Tensor, triangle: Tensor, barycentric: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of attributes and barycentric."""
    by_out = by_out.contiguous()
    views = _Views(attributes, indices, triangle, barycentric)
    kernels, launch = c.library(library), byref(c.launch(attributes.device))
    by_attributes = attributes.new_empty(attributes.shape)
    by_barycentric = barycentric.new_empty(barycentric.shape)
    scratch = c.workspace(
        kernels.d3d_interpolate_gradient_bytes(views.attributes, views.spots, launch), attributes.device
    )
    c.check(
        kernels.d3d_interpolate_gradient(
            views.attributes,
            views.spots,
            by_out.data_ptr(),
            by_attributes.data_ptr(),
            by_barycentric.data_ptr(),
            scratch.data_ptr(),
            launch,
        )
    )
    return by_attributes, by_barycentric


@_gradient.register_fake
def _(
    library: str, by_out: Tensor, attributes: Tensor, indices: Tensor, triangle: Tensor, barycentric: Tensor
) -> tuple[Tensor, Tensor]:
    return attributes.new_empty(attributes.shape), barycentric.new_empty(barycentric.shape)


def _save(ctx, inputs, output) -> None:
    ctx.library, *tensors = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx, by_out) -> tuple:
    by_attributes, by_barycentric = _gradient(ctx.library, by_out, *ctx.saved_tensors)
    return None, by_attributes, None, None, by_barycentric


_interpolate.register_autograd(_backward, setup_context=_save)
