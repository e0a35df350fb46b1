"""Feature lifting: maps of many channels gathered onto Gaussians, the adjoint of drawing features.

Beside it stands the gradient trick: draw zeros of as many channels and take the gradient by them, through
gsplat where it can be used, else through our own kernels.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from distill3d.bench._case import Case, Target, Work, normal
from distill3d.bench.operations.splat import ball
from distill3d.camera import turntable
from distill3d.ops import backends
from distill3d.ops.splat import splat
from distill3d.ops.splat_lift import lift


def _case(
    count: int,
    side: int,
    channels: int,
    *,
    targets: tuple[Target, ...] = (),
    at: int = 0,
    only_on: str | None = None,
) -> Case:
    def prepare(device: torch.device) -> Work:
        means, wxyz, scales, opacities, _ = ball(count, 1, device)
        cameras = turntable(1, width=side, height=side).to(device)
        maps = normal(1, side, side, channels, device=device, seed=7)
        none = torch.zeros(1, device=device, requires_grad=True)

        def run() -> list[Tensor]:
            sums, weights = lift(means, wxyz, scales, opacities, cameras, maps)
            return [sums + 0 * none, weights + 0 * none]

        gsplat = device.type == "cuda" and backends.why_not("gsplat") is None

        def trick() -> tuple[Tensor, ...]:
            with backends.use("gsplat") if gsplat else nullcontext():
                return by_gradient()

        def by_gradient() -> tuple[Tensor, ...]:
            features = torch.zeros(count, channels, device=device, requires_grad=True)
            drawn = splat(means, wxyz, scales, opacities, features, cameras).colours
            return torch.autograd.grad(drawn, features, maps)

        floats = 2 * side**2 * channels + count * (channels + 12)
        return Work([none], run, 2 * side**2 * channels, 4 * floats, beside=trick)

    size = f"1 × {side}², {count // 1000}k, {channels} channels"
    return Case("splat_lift", size, prepare, definition=False, targets=targets, at=at, only_on=only_on)


def _times_the_trick(least: int) -> Target:
    return Target(
        f"at least {least} times the gradient trick",
        lambda m: m.beside / m.forward if m.beside is not None else 0.0,
        least=least,
    )


def cases() -> list[Case]:
    """As many channels as the features of a small vision transformer have."""
    return [
        _case(20_000, 256, 384, targets=(_times_the_trick(1),), only_on="cpu"),
        _case(100_000, 512, 384, targets=(_times_the_trick(3),), only_on="cuda"),
    ]


def sweep(axis: str) -> list[Case]:
    """Over the number of channels."""
    return [_case(10_000, 128, n, at=n) for n in (1, 4, 16, 64)] if axis == "channels" else []
