"""Surfels: the ball of Gaussians of `splat`, each flat."""

from __future__ import annotations

import torch
from torch import Tensor

from distill3d.bench._case import Case, Work
from distill3d.bench.operations.splat import ball
from distill3d.camera import turntable
from distill3d.ops.surfels import surfels

FORWARD_FLOPS, BACKWARD_FLOPS = 60, 120
"""For each pixel of each ellipse: where the ray meets the disc, blending, distortion; and those back."""
CHANNEL_FLOPS = 2 + 4


def _case(
    count: int, side: int, *, views: int = 1, channels: int = 3, definition: bool = False, at: int = 0
) -> Case:
    def prepare(device: torch.device) -> Work:
        means, wxyz, scales, opacities, colours = ball(count, channels, device)
        cameras = turntable(views, width=side, height=side).to(device)
        scales = scales[:, :2].contiguous()
        leaves = [values.requires_grad_() for values in (means, wxyz, scales, opacities, colours)]

        def run() -> list[Tensor]:
            images = surfels(means, wxyz, scales, opacities, colours, cameras)
            return [images.colours, images.alpha, images.depth, images.normal, images.distortion]

        with torch.no_grad():
            radius_px = surfels(means, wxyz, scales, opacities, colours, cameras).radius_px
        # a disc that is turned at random shows half its area
        covered = float((0.5 * torch.pi * radius_px**2).sum())
        per_pixel = FORWARD_FLOPS + BACKWARD_FLOPS + CHANNEL_FLOPS * channels
        floats = views * (2 * count * (10 + channels) + 2 * side**2 * (channels + 7))
        return Work(leaves, run, covered * per_pixel, 4 * floats)

    size = f"{views} × {side}², {count // 1000}k, {channels} channels"
    return Case("surfels", size, prepare, definition, ("gsplat",), at=at)


def cases() -> list[Case]:
    """From the sizes of text to 3-D upwards."""
    return [_case(1_000, 64, definition=True), _case(10_000, 128), _case(50_000, 256)]


def sweep(axis: str) -> list[Case]:
    """Over all axes, from 10k surfels at 128² with three channels in one view."""
    return {
        "primitives": [_case(n, 128, at=n) for n in (1_000, 3_000, 10_000, 30_000, 100_000)],
        "pixels": [_case(10_000, side, at=side**2) for side in (64, 128, 256, 512, 1024)],
        "views": [_case(10_000, 128, views=views, at=views) for views in (1, 2, 4, 8, 16)],
        "channels": [_case(10_000, 128, channels=n, at=n) for n in (1, 4, 16, 64)],
    }[axis]
