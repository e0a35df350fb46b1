"""How far apart the surfaces of two meshes are, measured on the meshes and not on their pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from distill3d.conversions._closest import Surface
from distill3d.representations.mesh import Mesh

POINTS = 20_000
"""Strewn over each surface."""


@dataclass(frozen=True)
class SurfaceDistance:
    """Numbers of two surfaces; the same the other way round. Lengths are in world units, and not squared."""

    chamfer: float
    """Half the sum of both directions' mean distance, as in `distill3d.chamfer`."""
    hausdorff: float
    """The largest distance from a point on one to the other."""
    normal_error_deg: float
    """Mean angle between the normals of points and of the places closest to them, up to their signs."""


@torch.no_grad()
def surface_distance(first: Mesh, second: Mesh) -> SurfaceDistance:
    """Both directions, from points strewn evenly. Raises ValueError for a mesh without area."""
    surfaces = [_surface(mesh) for mesh in (first, second)]
    ways = [_distances(*surfaces), _distances(*reversed(surfaces))]
    return SurfaceDistance(
        chamfer=float(sum(distances.mean() for distances, _ in ways) / 2),
        hausdorff=float(max(distances.max() for distances, _ in ways)),
        normal_error_deg=float(sum(angles.mean() for _, angles in ways) / 2),
    )


def _surface(mesh: Mesh) -> Surface:
    triangles = mesh.vertices().cpu().double().numpy()[mesh.faces.cpu().numpy()]
    area = float(np.linalg.norm(_normals(triangles), axis=1).sum()) / 2
    if not area > 0:
        raise ValueError("a mesh without a surface is near no other; give one whose faces have an area")
    return Surface(triangles, float(np.sqrt(area / POINTS)))


def _distances(of: Surface, to: Surface) -> tuple[Float[np.ndarray, " P"], Float[np.ndarray, " P"]]:
    """From points on one surface, each for an equal share of it: how far the other is, and how turned."""
    strewn = of.strewn
    doubled = np.linalg.norm(_normals(of.triangles), axis=1)
    shares = (doubled / np.bincount(strewn.triangle, minlength=len(doubled)).clip(1))[strewn.triangle]
    even = np.searchsorted(shares.cumsum(), (np.arange(POINTS) + 0.5) * (shares.sum() / POINTS))
    even = even.clip(0, len(shares) - 1)
    there = to.closest(strewn.points[even])
    here, across = (
        _unit(_normals(surface.triangles[triangle]))
        for surface, triangle in ((of, strewn.triangle[even]), (to, there.triangle))
    )
    cosine = np.abs((here * across).sum(1)).clip(0, 1)
    return np.linalg.norm(there.points - strewn.points[even], axis=1), np.degrees(np.arccos(cosine))


def _normals(triangles: Float[np.ndarray, "F 3 3"]) -> Float[np.ndarray, "F 3"]:
    return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])


def _unit(vectors: Float[np.ndarray, "F 3"]) -> Float[np.ndarray, "F 3"]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-30)
