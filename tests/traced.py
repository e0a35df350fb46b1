"""Analytic scenes for tests: signed distances, sphere traced with one ray through each pixel centre."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.rendering import Rendering

Points = Tensor


def traced(
    distance: Callable[[Points], Tensor], colour: Callable[[Points], Tensor]
) -> Callable[[Cameras], Rendering]:
    """A renderer of the surface `distance` = 0 in the colours of `colour`; both take points [P, 3]."""

    def render(cameras: Cameras) -> Rendering:
        origins, directions = (x.reshape(-1, 3) for x in cameras.rays())
        lengths = directions.norm(dim=-1)
        nearest, farthest = (
            origins.norm(dim=-1) - 1.2,
            origins.norm(dim=-1) + 1.2,
        )  # scenes are smaller than that
        depth = nearest / lengths
        hit = torch.zeros(len(origins), dtype=torch.bool)
        alive = torch.arange(len(origins))
        for _ in range(60):
            if len(alive) == 0:
                break
            step = distance(origins[alive] + depth[alive, None] * directions[alive])
            hit[alive[step < 1e-4]] = True
            depth[alive] += step / lengths[alive]
            alive = alive[(step >= 1e-4) & (depth[alive] * lengths[alive] < farthest[alive])]
        rgb = torch.where(hit[:, None], colour(origins + depth[:, None] * directions), 0)
        shape = (*cameras.shape, cameras.height, cameras.width)
        return Rendering(
            rgb.reshape(*shape, 3), hit.float().reshape(*shape, 1), (hit * depth).reshape(*shape, 1)
        )

    return render


def ball(radius: float, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Callable[[Points], Tensor]:
    return lambda p: (p - torch.tensor(centre)).norm(dim=-1) - radius


def torus(ring: float, tube: float) -> Callable[[Points], Tensor]:
    return lambda p: torch.hypot(torch.hypot(p[:, 0], p[:, 1]) - ring, p[:, 2]) - tube


def box(x: float, y: float, z: float) -> Callable[[Points], Tensor]:
    """Half sides."""

    def distance(p: Points) -> Tensor:
        q = p.abs() - torch.tensor([x, y, z])
        return q.clamp_min(0).norm(dim=-1) + q.amax(-1).clamp_max(0)

    return distance


def cup(radius: float, half_height: float, wall: float) -> Callable[[Points], Tensor]:
    """An open cylinder with a floor, its mouth upwards; the distance is a bound, exact near the surface."""

    def cylinder(p: Points, r: float, low: float, high: float) -> Tensor:
        height = (p[:, 2] - (low + high) / 2).abs() - (high - low) / 2
        q = torch.stack([torch.hypot(p[:, 0], p[:, 1]) - r, height], -1)
        return q.clamp_min(0).norm(dim=-1) + q.amax(-1).clamp_max(0)

    return lambda p: torch.maximum(
        cylinder(p, radius, -half_height, half_height),
        -cylinder(p, radius - wall, -half_height + wall, half_height + 1),
    )


def by_octant(p: Points) -> Tensor:
    """Red where x > 0, green where y > 0, blue where z > 0."""
    return (p > 0).float()


def blank(cameras: Cameras) -> Rendering:
    """A scene with nothing in it."""
    shape = (*cameras.shape, cameras.height, cameras.width)
    return Rendering(torch.zeros(*shape, 3), torch.zeros(*shape, 1), torch.zeros(*shape, 1))
