"""Points of a field that are seen: drawn along rays with the probability that their light ends there."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.field import Field, through_ball
from distill3d.ops.march import march
from distill3d.ops.volume import composite, selected, transmittance
from distill3d.survey import surround

VIEWS = 48
LOWEST_ELEVATION_RAD = -1.2
"""Of the cameras all around, which also look from below."""
GLANCE_PX, SMALLEST_PX, LARGEST_PX = 16, 16, 800
FAINTEST = 1e-3
"""Mean alpha of pictures in which there is nothing to see."""


@torch.no_grad()
def visible_points(field: Field, count: int, generator: torch.Generator) -> Float[Tensor, "S 3"]:
    """About `count` points, drawn from pictures all around: where matter is dense, and light gets to.

    What is half transparent gets half as many as a surface. Raises ValueError if there is nothing to see.
    """
    glance = surround(VIEWS, size_px=GLANCE_PX, lowest_elevation_rad=LOWEST_ELEVATION_RAD)
    share = len(_through(field, glance, generator)) / (VIEWS * GLANCE_PX**2)
    if share < FAINTEST:
        raise ValueError(
            f"{type(field).__name__} shows next to nothing from all around (mean alpha {share:.4f}); "
            "expected something in the unit ball, so render it first"
        )
    size_px = math.ceil(math.sqrt(count / (VIEWS * share)))
    size_px = min(max(size_px, SMALLEST_PX), LARGEST_PX)
    return _through(
        field, surround(VIEWS, size_px=size_px, lowest_elevation_rad=LOWEST_ELEVATION_RAD), generator
    )


def _through(field: Field, cameras: Cameras, generator: torch.Generator) -> Float[Tensor, "S 3"]:
    """At most one point for each pixel: none with the probability that light passes through all."""
    cameras = cameras.to(field.remembered.device)
    rays = [tuple(x.reshape(-1, 3) for x in cameras[i].rays()) for i in range(len(cameras))]
    return torch.cat([_ends(field, origins, directions, generator) for origins, directions in rays])


def _ends(
    field: Field,
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
    generator: torch.Generator,
) -> Float[Tensor, "S 3"]:
    """Where the light of rays ends: a sample is drawn by its weight, and a point evenly within it."""
    near, far = through_ball(origins, directions)
    samples = march(origins, directions, field.occupied, step=field.step, near=near, far=far)
    speeds = directions.norm(dim=-1)
    samples = selected(samples, transmittance(samples, speeds, field.log_density(samples.points)) > 0)
    log_density = field.log_density(samples.points)
    weights = composite(samples, speeds, log_density, log_density.new_empty(len(log_density), 0)).weights
    until = torch.cat([weights.new_zeros(1, dtype=torch.float64), weights.double().cumsum(0)])
    first, last = until[samples.offsets.long()].unfold(0, 2, 1).unbind(-1)
    drawn, within = torch.rand(2, len(origins), generator=generator, dtype=torch.float64).to(first.device)
    ended = drawn < last - first
    row = torch.searchsorted(until[1:], (first + drawn)[ended], right=True)
    length = samples.ends[row] - samples.starts[row]
    along = samples.starts[row] + length * within[ended].to(length)
    return origins[ended] + along[:, None] * directions[ended]
