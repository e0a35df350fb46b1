"""Plane outlines that profiles and extrusions are made of: lists of (x, y), counter-clockwise."""

from __future__ import annotations

import math
from collections.abc import Sequence

Number = float | int
"""What stands for a length; run-time type checkers take no int for a float."""
Outline = tuple[tuple[Number, Number], ...]


def outline(*corners: Sequence[Number]) -> Outline:
    """The polygon with these corners."""
    return tuple((float(x), float(y)) for x, y in corners)


def regular(corners: int, radius: Number, *, turned_deg: Number = 0.0) -> Outline:
    """A regular polygon, its first corner on +x."""
    angles = [math.radians(turned_deg) + 2 * math.pi * k / corners for k in range(corners)]
    return tuple((radius * math.cos(a), radius * math.sin(a)) for a in angles)


def star(points: int, radius: Number, inner_radius: Number) -> Outline:
    """A star with its first point upwards."""
    radii = [radius, inner_radius] * points
    angles = [math.pi / 2 + math.pi * k / points for k in range(2 * points)]
    return tuple((r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True))


def heart(size: Number) -> Outline:
    """A heart about 2 x 2 `size` large, its tip downwards."""
    angles = [2 * math.pi * k / 28 for k in range(28)]
    return tuple(
        (
            size * math.sin(-a) ** 3,
            size * (13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 16,
        )
        for a in angles
    )


def softened(corners: Outline, *, times: int = 2, closed: bool = True) -> Outline:
    """Corners cut off again and again, which tends to a quadratic B-spline; an open outline keeps its ends.

    Source: Chaikin, "An algorithm for high-speed curve generation", 1974.
    """
    for _ in range(times):
        pairs = list(zip(corners, corners[1:] + corners[:1] if closed else corners[1:], strict=False))
        cut = tuple(
            ((1 - s) * a[0] + s * b[0], (1 - s) * a[1] + s * b[1]) for a, b in pairs for s in (0.25, 0.75)
        )
        corners = cut if closed else (corners[0], *cut[1:-1], corners[-1])
    return corners
