"""SSIM of pictures."""

from __future__ import annotations

import torch

from distill3d.bench._case import Case, Work, random
from distill3d.ops.ssim import ssim

FLOPS = 2 * (2 * 11 * 4 * 2 + 40)
"""For each value of a picture, forward and backward: eleven weights over four quantities along each side."""
BYTES = 4 * ((2 + 1 + 4) + (4 + 2 + 2))
"""Two pictures to a number and four slopes, and those with the pictures to two gradients."""


def _case(views: int, side: int, channels: int, *, at: int = 0, definition: bool = True) -> Case:
    def prepare(device: torch.device) -> Work:
        a, b = (random(views, side, side, channels, device=device, seed=seed) for seed in (0, 1))
        a.requires_grad_()
        return Work([a], lambda: [ssim(a, b)], FLOPS * a.numel(), BYTES * a.numel())

    return Case("ssim", f"{views} × {side}² × {channels}", prepare, definition=definition, at=at)


def cases() -> list[Case]:
    """At the sizes of score distillation and of photographs."""
    return [_case(4, 128, 3), _case(1, 512, 3), _case(1, 1024, 3)]


def sweep(axis: str) -> list[Case]:
    """Over everything but primitives."""
    if axis == "pixels":
        return [_case(1, side, 3, at=side**2) for side in (64, 128, 256, 512, 1024)]
    if axis == "views":
        return [_case(views, 128, 3, at=views) for views in (1, 2, 4, 8, 16)]
    if axis == "channels":
        return [_case(1, 128, channels, at=channels) for channels in (1, 4, 16, 64)]
    return []
