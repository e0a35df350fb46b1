"""`ssim_map` on the compiled kernels: two torch operators and their ties to autograd."""

from __future__ import annotations

from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p

import torch
from torch import Tensor

from distill3d.ops import _library as c


class CPicturePair(Structure):
    _fields_ = [
        *[(name, c_int64) for name in ("views", "height", "width", "channels")],
        *[(name, c_void_p) for name in ("a", "b")],
    ]


PAIR = POINTER(CPicturePair)

c.declare(
    {
        "d3d_ssim_bytes": [c_int64, PAIR, c.LAUNCH],
        "d3d_ssim": [c_int32, PAIR, c_void_p, c_void_p, c_void_p, c.LAUNCH],
        "d3d_ssim_gradient": [c_int32, PAIR, *[c_void_p] * 5, c.LAUNCH],
    }
)


def similarity(library: str, a: Tensor, b: Tensor) -> Tensor:
    """The map of similarities of pictures [V, H, W, C]; see `distill3d.ops.ssim.ssim_map`."""
    differentiable = torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)
    return _similarity(library, a, b, differentiable)[0]


@torch.library.custom_op(
    "distill3d::ssim",
    mutates_args=(),
    schema="(str library, Tensor a, Tensor b, bool differentiable) -> (Tensor, Tensor)",
)
def _similarity(library: str, a: Tensor, b: Tensor, differentiable: bool) -> tuple[Tensor, Tensor]:
    """The map [V, H, W, C], and its slopes [4, V, H, W, C], empty where no gradient will be wanted."""
    a, b = a.contiguous(), b.contiguous()
    likeness, slopes = torch.empty_like(a), a.new_empty(4 if differentiable else 0, *a.shape)
    kernels, launch = c.library(library), byref(c.launch(a.device))
    pair = byref(CPicturePair(*a.shape, a.data_ptr(), b.data_ptr()))
    scratch = c.workspace(kernels.d3d_ssim_bytes(pair, launch), a.device)
    wanted = slopes.data_ptr() if differentiable else None
    c.check(kernels.d3d_ssim(pair, likeness.data_ptr(), wanted, scratch.data_ptr(), launch))
    return likeness, slopes


@_similarity.register_fake
def _(library: str, a: Tensor, b: Tensor, differentiable: bool) -> tuple[Tensor, Tensor]:
    return a.new_empty(a.shape), a.new_empty(4 if differentiable else 0, *a.shape)


@torch.library.custom_op(
    "distill3d::ssim_gradient",
    mutates_args=(),
    schema="(str library, Tensor by_map, Tensor a, Tensor b, Tensor slopes) -> (Tensor, Tensor)",
)
def _gradient(library: str, by_map: Tensor, a: Tensor, b: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of a and b."""
    by_map, a, b = by_map.contiguous(), a.contiguous(), b.contiguous()
    by_a, by_b = torch.empty_like(a), torch.empty_like(b)
    kernels, launch = c.library(library), byref(c.launch(a.device))
    pair = byref(CPicturePair(*a.shape, a.data_ptr(), b.data_ptr()))
    scratch = c.workspace(kernels.d3d_ssim_bytes(pair, launch), a.device)
    arrays = [values.data_ptr() for values in (slopes, by_map, by_a, by_b, scratch)]
    c.check(kernels.d3d_ssim_gradient(pair, *arrays, launch))
    return by_a, by_b


@_gradient.register_fake
def _(library: str, by_map: Tensor, a: Tensor, b: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    return a.new_empty(a.shape), b.new_empty(b.shape)


def _save(ctx, inputs, output) -> None:
    ctx.library, a, b, _differentiable = inputs
    ctx.save_for_backward(a, b, output[1])
    ctx.mark_non_differentiable(output[1])


def _backward(ctx, by_map, _by_slopes) -> tuple:
    return (None, *_gradient(ctx.library, by_map, *ctx.saved_tensors), None)


_similarity.register_autograd(_backward, setup_context=_save)
