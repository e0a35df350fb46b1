"""The definition of `march` in plain torch: every stretch of every ray, in any float type.

The same rules, in the same words, as in cuda/include/d3d/march.h.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def through_box(
    origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"], extent: float
) -> tuple[Float[Tensor, " R"], Float[Tensor, " R"]]:
    """Where rays enter and leave [-extent, extent]³, in units of `directions`; first > last for a miss."""
    inverse = 1 / directions
    a, b = (-extent - origins) * inverse, (extent - origins) * inverse
    inside = origins.abs() <= extent
    parallel = directions == 0
    first = torch.where(parallel, torch.where(inside, -math.inf, math.inf), torch.minimum(a, b))
    last = torch.where(parallel, torch.where(inside, math.inf, -math.inf), torch.maximum(a, b))
    return first.amax(-1), last.amin(-1)


def in_occupied(
    points: Float[Tensor, "R 3"], occupied: Bool[Tensor, "L G G G"], extent: float
) -> Bool[Tensor, " R"]:
    """Whether points lie in occupied cells of the finest level that covers them."""
    levels, cells = occupied.shape[:2]
    size = points.abs().amax(-1)
    level = torch.zeros_like(size, dtype=torch.long)
    half = torch.full_like(size, extent)
    for _ in range(levels - 1):
        outside = size > half
        level, half = level + outside, torch.where(outside, 2 * half, half)
    cell = ((points / half[:, None] + 1) * (0.5 * cells)).long().clamp(0, cells - 1)
    return occupied[level, cell[:, 2], cell[:, 1], cell[:, 0]]


def march(
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
    near: Float[Tensor, " R"],
    far: Float[Tensor, " R"],
    jitter: Float[Tensor, " R"],
    occupied: Bool[Tensor, "L G G G"],
    step: float,
    cone: float,
    longest: float,
    extent: float,
    limit: int,
    capacity: int | None,
) -> tuple[
    Float[Tensor, " S"],
    Float[Tensor, " S"],
    Float[Tensor, "S 3"],
    Int[Tensor, " S"],
    Int[Tensor, " E"],
    Int[Tensor, "1"],
]:
    """Starts, ends, points, rays, offsets and needed; see `distill3d.ops.march.march`."""
    first, last = through_box(origins, directions, extent * 2 ** (len(occupied) - 1))
    first, last = torch.maximum(torch.maximum(first, near), near.new_zeros(())), torch.minimum(last, far)
    speed = directions.norm(dim=-1)
    total = origins.sum(-1) + speed + near + jitter
    goes = (first < last) & total.isfinite() & (speed > 0)
    first, last = torch.where(goes, first, 0), torch.where(goes, last, -1)
    speed = torch.where(goes, speed, 1)
    origins, directions = (torch.where(goes[:, None], v, 0) for v in (origins, directions))

    def length(t: Tensor) -> Tensor:
        return (cone * t * speed).clamp(step, longest) / speed

    counts = torch.zeros_like(first, dtype=torch.long)
    travelled, kept, i = jitter * length(first), [], 0
    start = first + travelled
    while bool((start < last).any()):
        stretch = length(start)
        end = torch.minimum(start + stretch, last)
        middle = 0.5 * (start + end)
        points = origins + middle[:, None] * directions
        keep = (start < last) & (counts < limit) & in_occupied(points, occupied, extent)
        (rays,) = keep.nonzero(as_tuple=True)
        kept.append((start[rays], end[rays], points[rays], rays))
        counts += keep
        i += 1
        travelled = (i + jitter) * stretch if cone == 0 else travelled + stretch
        start = first + travelled
    return _packed(kept, counts, origins, capacity)


def _packed(
    kept: list[tuple[Tensor, Tensor, Tensor, Tensor]], counts: Tensor, like: Tensor, capacity: int | None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The samples by ray, cut or filled to the capacity."""
    nothing = like.new_zeros(0)
    empty = (nothing, nothing, like.new_zeros(0, 3), torch.zeros_like(counts[:0]))
    parts = [torch.cat(part) for part in zip(*kept, empty, strict=True)]
    order = parts[3].argsort(stable=True)
    parts = [part[order] for part in parts]
    needed = len(order)
    if capacity is not None:
        missing = max(capacity - needed, 0)
        parts = [torch.cat([p[:capacity], p.new_zeros(missing, *p.shape[1:])]) for p in parts]
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    offsets = offsets.clamp_max(needed if capacity is None else capacity)
    return parts[0], parts[1], parts[2], parts[3].int(), offsets.int(), counts.new_tensor([needed])
