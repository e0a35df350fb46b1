"""The point of a surface that is closest to any other point, exactly but for rare ties between triangles.

Points are strewn over the surface; the triangles of the nearest few are the candidates, and on those the
closest point is known in closed form (Ericson 2005, Real-Time Collision Detection, section 5.1.5, as
implemented in trimesh).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import KDTree

CANDIDATES = 4
AT_ONCE = 200_000
"""Points that are worked on together."""


@dataclass(frozen=True)
class Places:
    """Places on a surface."""

    triangle: Int[np.ndarray, " P"]
    barycentric: Float[np.ndarray, "P 3"]
    points: Float[np.ndarray, "P 3"]

    def of(self, rows: np.ndarray, corners: Int[np.ndarray, "F 3"]) -> np.ndarray:
        """What is known at corners [rows, K] of the triangles, between them [P, K]."""
        return np.einsum("pc,pck->pk", self.barycentric, rows[corners[self.triangle]])


@dataclass(frozen=True)
class Surface:
    """Triangles to be asked for closest points; `spacing` is that of the strewn points, in world units."""

    triangles: Float[np.ndarray, "F 3 3"]
    spacing: float

    @cached_property
    def strewn(self) -> Places:
        """Points all over the surface, one at least on every triangle that has an area; always the same."""
        counts = np.ceil(trimesh.triangles.area(self.triangles) / self.spacing**2).astype(np.int64)
        triangle = np.repeat(np.arange(len(self.triangles)), counts)
        barycentric = _spread(np.arange(len(triangle)) - np.repeat(np.cumsum(counts) - counts, counts))
        points = np.einsum("pc,pcx->px", barycentric, self.triangles[triangle])
        return Places(triangle, barycentric, points)

    @cached_property
    def _tree(self) -> KDTree:
        return KDTree(self.strewn.points)

    def closest(self, points: Float[np.ndarray, "P 3"]) -> Places:
        """The place closest to each point."""
        parts = [self._closest(points[i : i + AT_ONCE]) for i in range(0, len(points), AT_ONCE)]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return Places(*columns)

    def _closest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        count = min(CANDIDATES, len(self.strewn.points))
        _, near = self._tree.query(points, k=count, workers=-1)
        candidates = self.strewn.triangle[near.reshape(len(points), count)]
        corners = self.triangles[candidates.reshape(-1)]
        there = trimesh.triangles.closest_point(corners, np.repeat(points, count, axis=0))
        away = np.linalg.norm(there.reshape(len(points), count, 3) - points[:, None], axis=-1)
        rows = np.arange(len(points)), away.argmin(1)
        triangle, there = candidates[rows], there.reshape(len(points), count, 3)[rows]
        weights = trimesh.triangles.points_to_barycentric(self.triangles[triangle], there)
        return triangle, np.nan_to_num(weights, nan=1 / 3).clip(0, 1), there


def _spread(index: Int[np.ndarray, " P"]) -> Float[np.ndarray, "P 3"]:
    """The index-th point of a sequence that fills a triangle evenly, from its middle on.

    Source: Roberts 2018, The Unreasonable Effectiveness of Quasirandom Sequences (the R2 sequence).
    """
    plastic = 1.32471795724474602596
    u, v = ((x + index * step) % 1 for x, step in ((1 / 3, 1 / plastic), (1 / 3, 1 / plastic**2)))
    folded = u + v > 1
    u, v = np.where(folded, 1 - u, u), np.where(folded, 1 - v, v)
    return np.stack([1 - u - v, u, v], 1)
