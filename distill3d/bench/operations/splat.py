"""Gaussian splatting: a soft ball of Gaussians, seen from all around."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from distill3d.bench._case import (
    Case,
    Measured,
    Target,
    Work,
    normal,
    random,
    times_the_definition,
    times_the_rival,
)
from distill3d.camera import Cameras, turntable
from distill3d.ops import splat_reference
from distill3d.ops._views import each
from distill3d.ops.splat import splat

BALL = 0.9
PIXELS_OF_1080P = 1440
"""The side of a square picture with as many pixels."""
FORWARD_FLOPS, BACKWARD_FLOPS = 26, 46
"""For each pixel of each ellipse: exponent, exponential, blending; those again, undone, and six moments."""
CHANNEL_FLOPS = 2 + 4
SPLAT_FLOPS = 200 + 600
"""Projection and its gradient, for each Gaussian in each view."""


def ball(
    count: int, channels: int, device: torch.device, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Means, wxyz, scales, opacities and colours; evenly filled, as wide as the gaps between them."""
    direction = torch.nn.functional.normalize(normal(count, 3, device=device, seed=seed), dim=-1)
    means = BALL * direction * random(count, 1, device=device, seed=seed + 1) ** (1 / 3)
    width = 0.54 * count ** (-1 / 3)
    return (
        means,
        normal(count, 4, device=device, seed=seed + 2),
        width * torch.exp(0.4 * normal(count, 3, device=device, seed=seed + 3)),
        torch.sigmoid(2 * normal(count, device=device, seed=seed + 4) - 0.5),
        random(count, channels, device=device, seed=seed + 5),
    )


def _covered_pixels(gaussians: tuple[Tensor, ...], cameras: Cameras) -> float:
    """Areas of all ellipses that are seen, in pixels, over all views."""
    means, wxyz, scales, opacities, _ = gaussians
    area = 0.0
    for camera in each(cameras):
        _, covariances, _ = splat_reference.project(means, wxyz, scales, camera, 0.3)
        xx, xy, yy = covariances.unbind(-1)
        cutoff = torch.log(opacities / splat_reference.ALPHA_MIN).clamp_min(0)
        area += float((2 * math.pi * cutoff * (xx * yy - xy * xy).clamp_min(0).sqrt()).sum())
    return area


def _case(
    count: int,
    side: int,
    *,
    views: int = 1,
    channels: int = 3,
    targets: tuple[Target, ...] = (),
    definition: bool = False,
    at: int = 0,
    only_on: str | None = None,
) -> Case:
    def prepare(device: torch.device) -> Work:
        gaussians = ball(count, channels, device)
        cameras = turntable(views, width=side, height=side).to(device)
        means, wxyz, scales, opacities, colours = (values.requires_grad_() for values in gaussians)

        def run() -> list[Tensor]:
            images = splat(means, wxyz, scales, opacities, colours, cameras)
            return [images.colours, images.alpha]

        with torch.no_grad():
            fragments = _covered_pixels(gaussians, cameras)
        per_fragment = FORWARD_FLOPS + BACKWARD_FLOPS + CHANNEL_FLOPS * channels
        floats = views * (2 * count * (11 + channels) + 2 * side**2 * (channels + 1))
        return Work(gaussians, run, fragments * per_fragment + views * count * SPLAT_FLOPS, 4 * floats)

    size = f"{views} × {side}², {count // 1000}k, {channels} channels"
    return Case("splat", size, prepare, definition, ("gsplat",), targets, at, only_on)


def _for_gpu(count: int, side: int, views: int, times: float) -> Case:
    """A size to be compared with gsplat."""
    return _case(count, side, views=views, targets=(times_the_rival("gsplat", times),), only_on="cuda")


def _of_the_prototype(flops: float) -> Target:
    """Time in units of the matrix product, beside what the first experiment with this design took."""
    return Target(
        "at most 1.5 times the prototype's share of a matrix product",
        lambda m: _product_flops(m) / flops,
        most=1.5,
    )


def _product_flops(measured: Measured) -> float:
    return measured.both * measured.flops_per_second


PROTOTYPE_10K = (1.05e-3 + 1.31e-3 + 1.47e-3) * 203e9
PROTOTYPE_100K = (15.6e-3 + 10.8e-3 + 16.6e-3) * 203e9
"""Binning, forward and backward in seconds, at 203 Gflop/s of sgemm."""


def cases() -> list[Case]:
    """From the sizes of text to 3-D upwards."""
    return [
        _case(2_000, 128, definition=True, targets=(times_the_definition(300),)),
        _case(10_000, 128, targets=(_of_the_prototype(PROTOTYPE_10K),), only_on="cpu"),
        _case(10_000, 64, views=8),
        _case(50_000, 256),
        _case(100_000, 512, targets=(_of_the_prototype(PROTOTYPE_100K),), only_on="cpu"),
        _case(10_000, 128, channels=64),
        *[_for_gpu(n, side, 8, 3.0) for n, side in ((10_000, 512), (100_000, 64), (100_000, 512))],
        _for_gpu(1_000_000, PIXELS_OF_1080P, 1, 1.5),
    ]


def sweep(axis: str) -> list[Case]:
    """Over all axes, from 10k Gaussians at 128² with three channels in one view."""
    return {
        "primitives": [_case(n, 128, at=n) for n in (1_000, 3_000, 10_000, 30_000, 100_000)],
        "pixels": [_case(10_000, side, at=side**2) for side in (64, 128, 256, 512, 1024)],
        "views": [_case(10_000, 128, views=views, at=views) for views in (1, 2, 4, 8, 16)],
        "channels": [_case(10_000, 128, channels=n, at=n) for n in (1, 4, 16, 64)],
    }[axis]
