"""Where things stand: sizes, the unit sphere, and two objects on or beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from distill3d.world.outlines import Number
from distill3d.world.parts import Part
from distill3d.world.solid import Stretched
from distill3d.world.surfaces import Points

RADIUS = 0.95
SCALES = {None: 0.9, "tiny": 0.5, "small": 0.7, "large": 1.0}
"""Share of RADIUS that a thing alone in the world fills; of two things, their relative size."""
STRETCHES = {
    "tall": (0.85, 0.85, 1.2),
    "short": (1.1, 1.1, 0.75),
    "wide": (1.0, 1.3, 0.9),
    "thin": (0.75, 0.75, 1.05),
}
ON_TOP = 0.55
"""Size of what stands on something, relative to it."""
GAP = 0.12


def stretched(parts: Sequence[Part], size: str | None) -> list[Part]:
    """The parts in the proportions that a size word names."""
    if size not in STRETCHES:
        return list(parts)
    return [part.shaped(Stretched(part.shape, STRETCHES[size])) for part in parts]


def normalised(parts: Sequence[Part], size: str | None) -> list[Part]:
    """The parts, the box around them centred, scaled so that they fill a sphere as `size` says."""
    low, high = bounds(parts)
    centre = (low + high) / 2
    reach = np.linalg.norm(_vertices(parts) - centre, axis=1).max()
    scale = RADIUS * SCALES.get(size, SCALES[None]) / reach
    return [part.shaped(part.shape.at(*-centre).scaled(scale)) for part in parts]


def related(first: Sequence[Part], relation: str, second: Sequence[Part]) -> list[Part]:
    """Two things, each normalised, in a relation: `first` is moved, `second` stays."""
    low, high = bounds(second)
    if relation == "on":
        first = [part.shaped(part.shape.scaled(ON_TOP)) for part in first]
        below, _ = bounds(first)
        first = _moved(first, [0, 0, high[2] - below[2]])
        return [*_moved(first, [0, 0, -_drop(first, second)]), *second]
    near, far = bounds(first)
    to_ground = low[2] - near[2]
    if relation == "next to":
        offset = [0, high[1] - near[1] + GAP, to_ground]
    elif relation == "in front of":
        offset = [high[0] - near[0] + GAP, 0, to_ground]
    elif relation == "behind":
        offset = [low[0] - far[0] - GAP, 0, to_ground]
    else:
        raise ValueError(f'"{relation}" is no relation; use on, next to, in front of or behind')
    return [*_moved(first, offset), *second]


def bounds(parts: Sequence[Part]) -> tuple[Points, Points]:
    """The lowest and highest corner of the box around the parts."""
    vertices = _vertices(parts)
    return vertices.min(0), vertices.max(0)


def _vertices(parts: Sequence[Part]) -> Points:
    return np.concatenate([part.shape.surface().vertices for part in parts])


def _moved(parts: Sequence[Part], offset: Sequence[Number]) -> list[Part]:
    return [part.shaped(part.shape.at(*offset)) for part in parts]


def _drop(first: Sequence[Part], second: Sequence[Part]) -> float:
    """How far `first` can fall until one of its lowest points meets `second`, by sphere tracing downwards."""
    vertices = _vertices(first)
    low, high = vertices[:, 2].min(), vertices[:, 2].max()
    feet = torch.from_numpy(vertices[vertices[:, 2] < low + 0.15 * (high - low)])
    depth = bounds(second)[1][2] - bounds(second)[0][2]
    fallen = torch.zeros(len(feet), dtype=torch.float64)
    for _ in range(48):
        points = torch.stack([feet[:, 0], feet[:, 1], feet[:, 2] - fallen], 1)
        distance = torch.stack([part.shape.signed_distance(points) for part in second]).amin(0)
        fallen = fallen + distance.clamp_min(0)
    return float(fallen.min().clamp_max(depth))
