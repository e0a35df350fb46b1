"""Texture sampling on the compiled kernels."""

from __future__ import annotations

from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p

import torch
from torch import Tensor

from distill3d.ops import _library as c
from distill3d.ops._mesh_kernels import pointer


class CPyramid(Structure):
    _fields_ = [
        ("count", c_int64),
        ("texels", c_int64),
        ("width", c_int32),
        ("height", c_int32),
        ("levels", c_int32),
        ("channels", c_int32),
        ("repeats", c_int32),
        ("values", c_void_p),
    ]


class CSamples(Structure):
    _fields_ = [("per_texture", c_int64), ("uv", c_void_p), ("footprint", c_void_p)]


class CTextureGradients(Structure):
    _fields_ = [(name, c_void_p) for name in ("values", "uv", "footprint")]


PYRAMID, SAMPLES = POINTER(CPyramid), POINTER(CSamples)

c.declare(
    {
        "d3d_texture": [c_int32, PYRAMID, SAMPLES, c_void_p, c.LAUNCH],
        "d3d_texture_gradient_bytes": [c_int64, PYRAMID, SAMPLES, c.LAUNCH],
        "d3d_texture_gradient": [
            c_int32, PYRAMID, SAMPLES, c_void_p, POINTER(CTextureGradients), c_void_p, c.LAUNCH,
        ],
    }
)  # fmt: skip


def sample(
    library: str,
    pyramid: Tensor,
    uv: Tensor,
    footprint: Tensor | None,
    width: int,
    height: int,
    levels: int,
    repeats: bool,
) -> Tensor:
    """See `distill3d.ops.texture_reference.sample`."""
    return _sample(library, pyramid, uv, footprint, width, height, levels, repeats)


class _Views:
    """The C views of the inputs, and the contiguous tensors behind them."""

    def __init__(
        self,
        pyramid: Tensor,
        uv: Tensor,
        footprint: Tensor | None,
        width: int,
        height: int,
        levels: int,
        repeats: bool,
    ) -> None:
        self.kept = [t if t is None else t.contiguous() for t in (pyramid, uv, footprint)]
        values, *coordinates = map(pointer, self.kept)
        count, texels, channels = pyramid.shape
        self.pyramid = byref(CPyramid(count, texels, width, height, levels, channels, repeats, values))
        self.samples = byref(CSamples(uv.shape[1], *coordinates))


@torch.library.custom_op(
    "distill3d::texture",
    mutates_args=(),
    schema="(str library, Tensor pyramid, Tensor uv, Tensor? footprint, int width, int height, int levels, "
    "bool repeats) -> Tensor",
)
def _sample(
    library: str,
    pyramid: Tensor,
    uv: Tensor,
    footprint: Tensor | None,
    width: int,
    height: int,
    levels: int,
    repeats: bool,
) -> Tensor:
    views = _Views(pyramid, uv, footprint, width, height, levels, repeats)
    out = pyramid.new_empty(*uv.shape[:2], pyramid.shape[2])
    launch = byref(c.launch(pyramid.device))
    c.check(c.library(library).d3d_texture(views.pyramid, views.samples, out.data_ptr(), launch))
    return out


@_sample.register_fake
def _(library: str, pyramid: Tensor, uv: Tensor, *others: object) -> Tensor:
    return pyramid.new_empty(*uv.shape[:2], pyramid.shape[2])


@torch.library.custom_op(
    "distill3d::texture_gradient",
    mutates_args=(),
    schema="(str library, Tensor by_out, Tensor pyramid, Tensor uv, Tensor? footprint, int width, "
    "int height, int levels, bool repeats) -> (Tensor, Tensor, Tensor)",
)
def _gradient(
    library: str,
    by_out: Tensor,
    pyramid: Tensor,
    uv: Tensor,
    footprint: Tensor | None,
    width: int,
    height: int,
    levels: int,
    repeats: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of pyramid, uv and footprint; the last has no element without a footprint."""
    by_out = by_out.contiguous()
    views = _Views(pyramid, uv, footprint, width, height, levels, repeats)
    kernels, launch = c.library(library), byref(c.launch(pyramid.device))
    by_pyramid, by_uv = pyramid.new_empty(pyramid.shape), uv.new_empty(uv.shape)
    by_footprint = uv.new_empty(0 if footprint is None else footprint.shape)
    given = (by_pyramid, by_uv, None if footprint is None else by_footprint)
    scratch = c.workspace(
        kernels.d3d_texture_gradient_bytes(views.pyramid, views.samples, launch), pyramid.device
    )
    c.check(
        kernels.d3d_texture_gradient(
            views.pyramid,
            views.samples,
            by_out.data_ptr(),
            byref(CTextureGradients(*map(pointer, given))),
            scratch.data_ptr(),
            launch,
        )
    )
    return by_pyramid, by_uv, by_footprint


@_gradient.register_fake
def _(
    library: str, by_out: Tensor, pyramid: Tensor, uv: Tensor, footprint: Tensor | None, *size: object
) -> tuple[Tensor, Tensor, Tensor]:
    by_footprint = uv.new_empty(0 if footprint is None else footprint.shape)
    return pyramid.new_empty(pyramid.shape), uv.new_empty(uv.shape), by_footprint


def _save(ctx, inputs, output) -> None:
    ctx.library, pyramid, uv, footprint, *ctx.settings = inputs
    ctx.save_for_backward(pyramid, uv, footprint)


def _backward(ctx, by_out) -> tuple:
    _, _, footprint = ctx.saved_tensors
    by_pyramid, by_uv, by_footprint = _gradient(ctx.library, by_out, *ctx.saved_tensors, *ctx.settings)
    return (None, by_pyramid, by_uv, None if footprint is None else by_footprint, *[None] * 4)


_sample.register_autograd(_backward, setup_context=_save)
