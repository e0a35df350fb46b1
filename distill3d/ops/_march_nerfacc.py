"""`march` on nerfacc 0.5.3, for tensors on a CUDA device.

nerfacc marches in world units along unit directions, names axes x, y, z, and lets its stretches begin anew
behind empty cells, so that its samples are others than ours, as long but for the first and last of a run. It
has no longest stretch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def march(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    jitter: Tensor,
    occupied: Tensor,
    step: float,
    cone: float,
    longest: float,
    extent: float,
    limit: int,
    capacity: int | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Starts, ends, points, rays, offsets and needed; see `distill3d.ops.march.march`."""
    from nerfacc.grid import traverse_grids  # pyright: ignore[reportMissingImports]

    if cone > 0 and math.isfinite(longest):
        raise ValueError(f"nerfacc knows no longest stretch and was given {longest:g}; leave it out")
    if capacity is not None:
        raise ValueError('nerfacc marches to no capacity; leave it out, or run inside use("cuda")')
    speeds = directions.norm(dim=-1)
    halves = extent * 2.0 ** torch.arange(len(occupied), device=origins.device)
    boxes = torch.stack([-halves] * 3 + [halves] * 3, -1)
    intervals, samples, _ = traverse_grids(
        origins.contiguous(),
        (directions / speeds[:, None]).contiguous(),
        occupied.transpose(1, 3).contiguous(),
        boxes,
        near_planes=near * speeds + jitter * step,
        far_planes=far * speeds,
        step_size=step,
        cone_angle=cone,
        traverse_steps_limit=limit,
    )
    rays = samples.ray_indices
    starts, ends = (intervals.vals[edge] / speeds[rays] for edge in (intervals.is_left, intervals.is_right))
    points = origins[rays] + (0.5 * (starts + ends))[:, None] * directions[rays]
    counts = samples.packed_info[:, 1]
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return starts, ends, points, rays.int(), offsets.int(), offsets[-1:].long()
