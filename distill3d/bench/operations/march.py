"""Rays through an occupied ball, and what they see of its samples."""

from __future__ import annotations

import torch
from torch import Tensor

from distill3d.bench._case import Case, Work, normal
from distill3d.camera import turntable
from distill3d.ops.march import Samples, march
from distill3d.ops.volume import composite

CELLS, STEP = 64, 0.05
SAMPLE_FLOPS, CHANNEL_FLOPS = 60, 8
SAMPLE_BYTES, CHANNEL_BYTES = 4 * (2 * 7 + 6), 4 * 3


def occupied_ball(device: torch.device) -> Tensor:
    """A grid of one level in which a ball of radius 0.9 is occupied."""
    along = (torch.arange(CELLS) + 0.5) / CELLS * 2 - 1
    x, y, z = torch.meshgrid(along, along, along, indexing="ij")
    return ((x * x + y * y + z * z) < 0.81)[None].to(device)


def _case(side: int, *, views: int = 1, channels: int = 3, definition: bool = False, at: int = 0) -> Case:
    def prepare(device: torch.device) -> Work:
        origins, directions = turntable(views, width=side, height=side).to(device).rays()
        origins, directions = origins.reshape(-1, 3).contiguous(), directions.reshape(-1, 3).contiguous()
        occupied, speeds = occupied_ball(device), directions.norm(dim=-1)

        def sampled() -> Samples:
            return march(origins, directions, occupied, step=STEP)

        # density and values are linear in the place, so that each backend may take samples of its own
        to_density = normal(3, device=device).requires_grad_()
        to_values = normal(3, channels, device=device, seed=1).requires_grad_()

        def run() -> list[Tensor]:
            samples = sampled()
            seen = composite(samples, speeds, samples.points @ to_density, samples.points @ to_values)
            return [seen.values, seen.alpha, seen.depth]

        count = len(sampled().starts)
        return Work(
            [to_density, to_values],
            run,
            count * (SAMPLE_FLOPS + CHANNEL_FLOPS * channels),
            count * (SAMPLE_BYTES + CHANNEL_BYTES * channels),
        )

    size = f"{views} × {side}², {channels} channels"
    return Case("march", size, prepare, definition, ("nerfacc",), at=at)


def cases() -> list[Case]:
    """At the sizes of text to 3-D, and of a photograph."""
    return [_case(64, definition=True), _case(128), _case(512)]


def sweep(axis: str) -> list[Case]:
    """Over all but primitives, from one view of 128² with three channels."""
    if axis == "pixels":
        return [_case(side, at=side**2) for side in (64, 128, 256, 512)]
    if axis == "views":
        return [_case(128, views=views, at=views) for views in (1, 2, 4, 8, 16)]
    if axis == "channels":
        return [_case(128, channels=channels, at=channels) for channels in (1, 4, 16, 64)]
    return []
