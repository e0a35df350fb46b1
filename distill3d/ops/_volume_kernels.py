"""`composite`, `transmittance` and `resample` on the compiled kernels."""

from __future__ import annotations

from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor

from distill3d.ops import _library as c


class CVolume(Structure):
    _fields_ = [
        ("rays", c_int64),
        ("capacity", c_int64),
        ("channels", c_int32),
        *[(name, c_void_p) for name in ("offsets", "starts", "ends", "speeds", "log_density", "values")],
    ]


class CRayImages(Structure):
    _fields_ = [(name, c_void_p) for name in ("values", "alpha", "depth", "distortion", "weights", "behind")]


class CRayImageGradients(Structure):
    _fields_ = [(name, c_void_p) for name in ("values", "alpha", "depth", "distortion", "weights")]


_VOLUME, _IMAGES = POINTER(CVolume), POINTER(CRayImages)

c.declare(
    {
        "d3d_volume_transmittance": [c_int32, _VOLUME, c_void_p, c.LAUNCH],
        "d3d_volume_composite": [c_int32, _VOLUME, _IMAGES, c.LAUNCH],
        "d3d_volume_gradient": [
            c_int32,
            _VOLUME,
            _IMAGES,
            POINTER(CRayImageGradients),
            c_void_p,
            c_void_p,
            c.LAUNCH,
        ],
        "d3d_volume_resample": [
            c_int32,
            c_int64,
            *[c_void_p] * 5,
            c_int32,
            c_void_p,
            c.LAUNCH,
        ],
    }
)


def _volume(
    starts: Tensor,
    ends: Tensor,
    offsets: Tensor,
    speeds: Tensor,
    log_density: Tensor,
    values: Tensor | None,
) -> CVolume:
    """The C view of contiguous tensors, which must outlive it."""
    channels = 0 if values is None else values.shape[1]
    pointers = [t.data_ptr() for t in (offsets, starts, ends, speeds, log_density)]
    last = None if values is None else values.data_ptr()
    return CVolume(len(offsets) - 1, len(starts), channels, *pointers, last)


def composite(
    library: str,
    starts: Tensor,
    ends: Tensor,
    offsets: Tensor,
    speeds: Tensor,
    log_density: Tensor,
    values: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Values, alpha, depth, distortion and weights; see `distill3d.ops.volume.composite`."""
    results = _composite(library, starts, ends, offsets, speeds, log_density, values)
    return results[0], results[1], results[2], results[3], results[4]


@torch.library.custom_op(
    "distill3d::composite",
    mutates_args=(),
    schema="(str library, Tensor starts, Tensor ends, Tensor offsets, Tensor speeds, Tensor log_density, "
    "Tensor values) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _composite(
    library: str,
    starts: Tensor,
    ends: Tensor,
    offsets: Tensor,
    speeds: Tensor,
    log_density: Tensor,
    values: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The images, and at last the light behind each sample."""
    inputs = [t.contiguous() for t in (starts, ends, offsets, speeds, log_density, values)]
    images = _empty(starts, offsets, values)
    volume = byref(_volume(*inputs))
    pointers = byref(CRayImages(*[t.data_ptr() for t in images]))
    c.check(c.library(library).d3d_volume_composite(volume, pointers, byref(c.launch(starts.device))))
    return images


def _empty(
    starts: Tensor, offsets: Tensor, values: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    rays = len(offsets) - 1
    alpha, depth, distortion = (starts.new_empty(rays) for _ in range(3))
    weights, behind = torch.empty_like(starts), torch.empty_like(starts)
    return values.new_empty(rays, values.shape[1]), alpha, depth, distortion, weights, behind


@_composite.register_fake
def _(
    library: str,
    starts: Tensor,
    ends: Tensor,
    offsets: Tensor,
    speeds: Tensor,
    log_density: Tensor,
    values: Tensor,
) -> tuple[Tensor, ...]:
    return _empty(starts, offsets, values)


@torch.library.custom_op(
    "distill3d::composite_gradient",
    mutates_args=(),
    schema="(str library, Tensor by_values, Tensor by_alpha, Tensor by_depth, Tensor by_distortion, "
    "Tensor by_weights, Tensor starts, Tensor ends, Tensor offsets, Tensor speeds, Tensor log_density, "
    "Tensor values, Tensor weights, Tensor behind) -> (Tensor, Tensor)",
)
def _gradient(
    library: str,
    by_values: Tensor,
    by_alpha: Tensor,
    by_depth: Tensor,
    by_distortion: Tensor,
    by_weights: Tensor,
    starts: Tensor,
    ends: Tensor,
    offsets: Tensor,
    speeds: Tensor,
    log_density: Tensor,
    values: Tensor,
    weights: Tensor,
    behind: Tensor,
) -> tuple[Tensor, Tensor]:
    """Gradients of log_density and values."""
    by = [t.contiguous() for t in (by_values, by_alpha, by_depth, by_distortion, by_weights)]
    inputs = [t.contiguous() for t in (starts, ends, offsets, speeds, log_density, values)]
    results = torch.empty_like(inputs[4]), torch.empty_like(inputs[5])
    c.check(
        c.library(library).d3d_volume_gradient(
            byref(_volume(*inputs)),
            byref(CRayImages(None, None, None, None, weights.data_ptr(), behind.data_ptr())),
            byref(CRayImageGradients(*[t.data_ptr() for t in by])),
            *[t.data_ptr() for t in results],
            byref(c.launch(starts.device)),
        )
    )
    return results


@_gradient.register_fake
def _(library: str, *tensors: Tensor) -> tuple[Tensor, Tensor]:
    log_density, values = tensors[9:11]
    return log_density.new_empty(log_density.shape), values.new_empty(values.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.library = inputs[0]
    ctx.save_for_backward(*inputs[1:], output[4], output[5])
    ctx.mark_non_differentiable(output[5])


def _backward(ctx: Any, *by: Tensor) -> tuple[Tensor | None, ...]:
    by_log_density, by_values = _gradient(ctx.library, *by[:5], *ctx.saved_tensors)
    return None, None, None, None, None, by_log_density, by_values


_composite.register_autograd(_backward, setup_context=_keep)


def transmittance(
    library: str, starts: Tensor, ends: Tensor, offsets: Tensor, speeds: Tensor, log_density: Tensor
) -> Tensor:
    """The light that reaches each sample; see `distill3d.ops.volume.transmittance`."""
    starts, ends, offsets, speeds, log_density = (
        t.contiguous() for t in (starts, ends, offsets, speeds, log_density)
    )
    result = torch.empty_like(starts)
    launch = byref(c.launch(starts.device))
    volume = byref(_volume(starts, ends, offsets, speeds, log_density, None))
    c.check(c.library(library).d3d_volume_transmittance(volume, result.data_ptr(), launch))
    return result


def resample(
    library: str,
    starts: Tensor,
    ends: Tensor,
    offsets: Tensor,
    weights: Tensor,
    jitter: Tensor,
    count: int,
) -> Tensor:
    """Edges; see `distill3d.ops.proposal.resample`."""
    rays = len(offsets) - 1
    inputs = [t.contiguous() for t in (offsets, starts, ends, weights, jitter)]
    edges = starts.new_empty(rays, count + 1)
    launch = byref(c.launch(starts.device))
    pointers = [t.data_ptr() for t in inputs]
    c.check(c.library(library).d3d_volume_resample(rays, *pointers, count, edges.data_ptr(), launch))
    return edges
