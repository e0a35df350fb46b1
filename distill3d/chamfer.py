"""How alike the solids of two scenes are: the Chamfer distance of their surfaces, and IoU.

Scenes are only asked for pictures, so all kinds are measured with one ruler: both are fused on the same grid
of voxels (`distill3d.fusion`), which is right to about a tenth of a voxel where surfaces are smooth. The
Chamfer distance is half the sum of the mean distances from points on one surface to the other surface, in
world units and not squared (Fan et al. 2017, "A Point Set Generation Network", section 4.2, without squares).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.spatial import KDTree

from distill3d.camera import Cameras
from distill3d.conversions.scene_to_mesh import surface
from distill3d.fusion import Volume, fuse
from distill3d.rendering import Rendering

POINTS = 10_000
NEIGHBOURS = 12  # triangles with the nearest centres, among which the nearest is looked for


@dataclass(frozen=True)
class SolidLikeness:
    """Numbers of two solids; the same the other way round."""

    chamfer: float
    """World units; 0 for equal surfaces."""
    iou: float
    """Volume of the intersection over that of the union, 0 to 1."""


def solid_likeness(
    ours: Callable[[Cameras], Rendering], theirs: Callable[[Cameras], Rendering], *, resolution: int = 96
) -> SolidLikeness | None:
    """Both scenes fused at `resolution` voxels a side; None if one shows no surface in the unit ball.

    Both must give depth.
    """
    first, second = (fuse(r, resolution=resolution, size_px=2 * resolution) for r in (ours, theirs))
    if not (first.inside.any() and second.inside.any()):
        return None
    return SolidLikeness(chamfer(surface(first), surface(second)), iou(first, second))


def iou(first: Volume, second: Volume) -> float:
    """Voxels inside both over voxels inside either; volumes must have one grid."""
    union = (first.inside | second.inside).sum().clamp_min(1)
    return float((first.inside & second.inside).sum() / union)


def chamfer(first: trimesh.Trimesh, second: trimesh.Trimesh) -> float:
    """Half of both directions' mean distance, for meshes of triangles of about one size.

    The points are drawn evenly over the surfaces, always the same ones for the same mesh.
    """
    return (_mean_distance(first, second) + _mean_distance(second, first)) / 2


def _mean_distance(of: trimesh.Trimesh, to: trimesh.Trimesh) -> float:
    """From points on a surface to the nearest point of another's triangles."""
    points = trimesh.sample.sample_surface(of, POINTS, seed=0)[0]
    count = min(NEIGHBOURS, len(to.faces))
    _, near = KDTree(to.triangles_center).query(points, k=count)
    triangles = to.triangles[near.reshape(-1)]
    nearest = trimesh.triangles.closest_point(triangles, np.repeat(points, count, axis=0))
    distances = np.linalg.norm(nearest.reshape(len(points), count, 3) - points[:, None], axis=-1)
    return float(distances.min(1).mean())
