"""Watertight triangle surfaces: rings stitched together, prisms over polygons, rounded boxes.

Everything is numpy in double precision; faces are counter-clockwise seen from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


class Surface(NamedTuple):
    """A triangle mesh: vertices [V, 3] and faces [F, 3]."""

    vertices: Points
    faces: NDArray[np.int64]


def signed_volume(surface: Surface) -> float:
    """Enclosed volume by the divergence theorem; negative when the faces look inwards."""
    a, b, c = np.moveaxis(surface.vertices[surface.faces], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def facing_outwards(surface: Surface) -> Surface:
    return surface if signed_volume(surface) > 0 else Surface(surface.vertices, surface.faces[:, ::-1].copy())


def stitch(rings: Sequence[Points], *, closed: bool) -> Surface:
    """The surface through consecutive rings of equally many points; a ring of one point is a pole.

    `closed` joins the last ring to the first (a torus); otherwise both ends must be poles.
    """
    starts = np.cumsum([0, *(len(ring) for ring in rings)])
    faces = []
    for i in range(len(rings) if closed else len(rings) - 1):
        j = (i + 1) % len(rings)
        around = np.arange(max(len(rings[i]), len(rings[j])))
        onward = (around + 1) % len(around)
        a, b, c, d = (
            starts[ring] + index % len(rings[ring]) for ring in (i, j) for index in (around, onward)
        )
        if len(rings[i]) > 1:
            faces.append(np.stack([a, b, d], 1))
        if len(rings[j]) > 1:
            faces.append(np.stack([a, d, c], 1))
    return facing_outwards(Surface(np.concatenate(rings), np.concatenate(faces).astype(np.int64)))


def circle(segments: int) -> Points:
    """Unit vectors [segments, 2] around a circle."""
    angles = np.arange(segments) * (2 * np.pi / segments)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def revolve(profile: Points, segments: int) -> Surface:
    """A profile of (radius, z) turned about z; a profile that meets the axis is closed by it."""
    around = circle(segments)
    rings = [
        np.array([[0.0, 0.0, z]]) if r <= 0 else np.column_stack([r * around, np.full(segments, z)])
        for r, z in profile
    ]
    return stitch(rings, closed=not (profile[0, 0] <= 0 and profile[-1, 0] <= 0))


def ear_clipped(polygon: Points) -> NDArray[np.int64]:
    """Triangles [N - 2, 3] of a simple counter-clockwise polygon, by cutting off ears.

    Source: Meisters, "Polygons have ears", 1975.
    """
    left = list(range(len(polygon)))
    triangles = []
    while len(left) > 2:
        ear = next(
            (k for k in range(len(left)) if _is_ear(polygon, left, k)),
            None,
        )
        if ear is None:
            raise ValueError(
                f"the outline of {len(polygon)} corners crosses itself; give the corners of a simple polygon"
            )
        triangles.append((left[ear - 1], left[ear], left[(ear + 1) % len(left)]))
        del left[ear]
    return np.array(triangles, dtype=np.int64)


def _is_ear(polygon: Points, left: list[int], k: int) -> bool:
    a, b, c = polygon[left[k - 1]], polygon[left[k]], polygon[left[(k + 1) % len(left)]]
    if _turn(a, b, c) <= 1e-12:
        return False
    corners = {left[k - 1], left[k], left[(k + 1) % len(left)]}
    others = polygon[[i for i in left if i not in corners]]
    inside = (_turn(a, b, others) > -1e-12) & (_turn(b, c, others) > -1e-12) & (_turn(c, a, others) > -1e-12)
    return not inside.any()


def _turn(a: Points, b: Points, c: Points) -> Points | np.float64:
    """Twice the signed area of the triangle a b c (c may be many points)."""
    return (b[0] - a[0]) * (c[..., 1] - a[1]) - (b[1] - a[1]) * (c[..., 0] - a[0])


def prism(polygon: Points, depth: float) -> Surface:
    """A simple counter-clockwise polygon in x, y, extruded along z from -depth/2 to depth/2."""
    count = len(polygon)
    bottom = np.column_stack([polygon, np.full(count, -depth / 2)])
    top = np.column_stack([polygon, np.full(count, depth / 2)])
    cap = ear_clipped(polygon)
    here = np.arange(count)
    onward = (here + 1) % count
    walls = [np.stack([here, onward, onward + count], 1), np.stack([here, onward + count, here + count], 1)]
    faces = np.concatenate([cap[:, ::-1], cap + count, *walls])
    return facing_outwards(Surface(np.concatenate([bottom, top]), faces))


def rounded_box(half: Points, radius: float, steps: int) -> Surface:
    """A box of half sides `half`, its edges rounded with `radius` in `steps` steps from a face to a corner.

    The surface of a cube is cut into a grid; its points give directions, moved out by the box that is left
    when the rounding is taken away.
    """
    if radius <= 0:
        steps = 0
    cells = 2 * steps + 1
    quads = []
    i, j = np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij")
    corners = np.stack([np.stack([i + di, j + dj], -1) for di, dj in ((0, 0), (1, 0), (1, 1), (0, 1))], 2)
    for axis in range(3):
        for side, order in ((cells, [0, 1, 2, 3]), (0, [3, 2, 1, 0])):
            quad = np.empty((cells * cells, 4, 3), dtype=np.int64)
            quad[..., axis] = side
            quad[..., (axis + 1) % 3] = corners.reshape(-1, 4, 2)[..., 0]
            quad[..., (axis + 2) % 3] = corners.reshape(-1, 4, 2)[..., 1]
            quads.append(quad[:, order])
    grid, quad = np.unique(np.concatenate(quads).reshape(-1, 3), axis=0, return_inverse=True)
    quad = quad.reshape(-1, 4)
    faces = np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]).astype(np.int64)
    sign = np.where(grid > steps, 1.0, -1.0)
    share = np.where(grid > steps, grid - steps - 1, steps - grid) / max(steps, 1)
    direction = np.tan(share * (np.pi / 4))
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    vertices = sign * (half - radius + radius * direction / np.maximum(length, 1e-12))
    return facing_outwards(Surface(vertices, faces))
