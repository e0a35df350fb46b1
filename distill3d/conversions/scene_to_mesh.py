"""Any scene to a triangle mesh: fuse its renders into a signed distance, take the zero surface, paint it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import cast

import numpy as np
import torch
import trimesh
from scipy.spatial import KDTree
from skimage.measure import marching_cubes
from trimesh.visual import ColorVisuals

from distill3d.camera import Cameras
from distill3d.fusion import TRUNCATION_VOXELS, Volume, solid
from distill3d.rendering import Rendering
from distill3d.scene import Scene
from distill3d.survey import Survey, surround, survey

FLOATER_AREA = 0.01


def scene_to_mesh(
    scene: Scene, *, resolution: int = 96, views: int = 64, size_px: int | None = None
) -> trimesh.Trimesh:
    """The surface that a scene shows, as a watertight mesh with vertex colours; see `renders_to_mesh`."""
    device = next((t.device for t in chain(scene.parameters(), scene.buffers())), torch.device("cpu"))

    def render(cameras: Cameras) -> Rendering:
        return scene.render(cameras.to(device), want=("rgb", "alpha", "depth"))

    return renders_to_mesh(render, resolution=resolution, views=views, size_px=size_px)


def renders_to_mesh(
    render: Callable[[Cameras], Rendering],
    *,
    resolution: int = 96,
    views: int = 64,
    size_px: int | None = None,
    extent: float = 1.0,
) -> trimesh.Trimesh:
    """The surface that a renderer with depth shows inside the ball of radius `extent` around the origin.

    The mesh is closed and its triangles wind counter-clockwise seen from outside. Pieces with less than 1 %
    of the largest piece's area are floaters and are dropped; so are closed cavities, which no picture can
    show. Vertex colours (uint8) come from the views that see each vertex most squarely. Pictures are
    `size_px` wide, twice the resolution when not given. Raises ValueError when there is nothing to see.

    Source of the surface: Lewiner et al., Efficient Implementation of Marching Cubes' Cases with Topological
    Guarantees, Journal of Graphics Tools 8, 2003, as implemented in scikit-image.
    """
    cameras = surround(views, size_px=size_px or 2 * resolution, extent=extent)
    pictures = survey(render, cameras)
    volume = solid(pictures, resolution=resolution, extent=extent)
    if not volume.inside.any():
        raise ValueError(
            f"the scene shows no surface within {extent:g} of the origin in {views} views (alpha < 0.5), so "
            "there is no mesh to extract; render it first to see what is there"
        )
    mesh = _without_floaters(surface(volume))
    return _painted(mesh, pictures, tolerance=TRUNCATION_VOXELS * volume.voxel)


def surface(volume: Volume) -> trimesh.Trimesh:
    """Marching cubes at distance 0, with a layer of empty voxels around so that the surface closes.

    Raises ValueError for a volume without an inside.
    """
    distance = np.pad(volume.distance.cpu().numpy(), 1, constant_values=TRUNCATION_VOXELS * volume.voxel)
    vertices, faces, _, _ = marching_cubes(distance, level=0.0, gradient_direction="descent")
    first_centre = -volume.extent - volume.voxel / 2
    return trimesh.Trimesh(first_centre + vertices * volume.voxel, faces, process=True)


def _without_floaters(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    with np.errstate(divide="ignore", invalid="ignore"):  # trimesh also works out where a flat piece balances
        pieces = [piece for piece in mesh.split(only_watertight=False) if piece.volume > 0]
    largest = max(piece.area for piece in pieces)
    kept = [piece for piece in pieces if piece.area >= FLOATER_AREA * largest]
    return cast(trimesh.Trimesh, trimesh.util.concatenate(kept))


def _painted(mesh: trimesh.Trimesh, pictures: Survey, *, tolerance: float) -> trimesh.Trimesh:
    """Colours the vertices; one that no view shows takes the colour of the nearest that is shown."""
    device = pictures.alpha.device
    points, normals = (
        torch.tensor(np.asarray(x), dtype=torch.float32, device=device)
        for x in (mesh.vertices, mesh.vertex_normals)
    )
    with torch.no_grad():
        rgb, seen = (x.cpu().numpy() for x in pictures.paint(points, normals, tolerance=tolerance))
    if not seen.all() and seen.any():
        _, nearest = KDTree(mesh.vertices[seen]).query(mesh.vertices[~seen])
        rgb[~seen] = rgb[seen][nearest]
    opaque = np.full((len(rgb), 1), 255, np.uint8)
    mesh.visual = ColorVisuals(mesh, vertex_colors=np.hstack([np.round(rgb * 255).astype(np.uint8), opaque]))
    return mesh
