"""A scene's surface by open3d, for scenes larger than a dense grid can hold at the wanted fineness.

Its volume is made only where depth was seen, so that it grows with the surface and not with space. What no
camera saw stays open, where `scene_to_mesh` closes it, and nothing is carved by silhouettes.

Source: Curless and Levoy, SIGGRAPH 1996, as implemented in open3d's VoxelBlockGrid.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
import torch
import trimesh

from distill3d.camera import Cameras
from distill3d.conversions.scene_to_mesh import FLOATER_AREA
from distill3d.fusion import TRUNCATION_VOXELS
from distill3d.rendering import Rendering
from distill3d.survey import surround

BATCH = 8
BLOCK_VOXELS = 8
"""The side of the cubes that the volume is made of."""
BLOCKS = 10_000
"""For how many there is room in the beginning; open3d makes more as they are needed."""
LEAST_VIEWS = 1.0
"""How many must have seen a place that the surface goes through."""


def installed() -> bool:
    """Whether open3d is there to be imported."""
    return find_spec("open3d") is not None


def renders_to_open_mesh(
    render: Callable[[Cameras], Rendering],
    *,
    resolution: int = 256,
    views: int = 64,
    size_px: int | None = None,
    extent: float = 1.0,
) -> trimesh.Trimesh:
    """The surface that a renderer with depth shows around the origin, with vertex colours, open where unseen.

    Voxels are 2 `extent` / `resolution` wide. Pieces with less than 1 % of the largest piece's area are
    dropped. Raises ValueError where open3d is not installed, and where there is nothing to see.
    """
    if not installed():
        raise ValueError(
            "open3d is not installed; pip install open3d, or use scene_to_mesh, which needs none"
        )
    import open3d  # pyright: ignore[reportMissingImports]

    grid = open3d.t.geometry.VoxelBlockGrid(
        attr_names=("tsdf", "weight", "color"),
        attr_dtypes=(open3d.core.float32,) * 3,
        attr_channels=(1, 1, 3),
        voxel_size=2 * extent / resolution,
        block_resolution=BLOCK_VOXELS,
        block_count=BLOCKS,
    )
    cameras = surround(views, size_px=size_px or 2 * resolution, extent=extent)
    for i in range(0, views, BATCH):
        _integrate(open3d, grid, cameras[i : i + BATCH], render)
    if not grid.hashmap().size():
        raise ValueError(
            f"the scene shows no surface within {extent:g} of the origin in {views} views, so there is no "
            "mesh to extract; render it first to see what is there"
        )
    found = grid.extract_triangle_mesh(weight_threshold=LEAST_VIEWS).to_legacy()
    vertices, faces, colours = (np.asarray(x) for x in (found.vertices, found.triangles, found.vertex_colors))
    shape = trimesh.Trimesh(vertices, faces, vertex_colors=colours.clip(0, 1))
    pieces = shape.split(only_watertight=False)
    largest = max(piece.area for piece in pieces)
    kept = [piece for piece in pieces if piece.area >= FLOATER_AREA * largest]
    return cast(trimesh.Trimesh, trimesh.util.concatenate(kept))


@torch.no_grad()
def _integrate(open3d: Any, grid: Any, cameras: Cameras, render: Callable[[Cameras], Rendering]) -> None:
    """Add pictures to the volume; open3d has the centres of its pixels at whole numbers."""
    pictures = render(cameras)
    shown = pictures.alpha >= 0.5
    depths = torch.where(shown, torch.nan_to_num(pictures.mean_depth(), posinf=0.0), 0)
    colours = pictures.rgb / pictures.alpha.clamp_min(1e-4) * shown
    for i in range(len(cameras)):
        fx, fy, cx, cy = cameras.intrinsics[i].tolist()
        lens = open3d.core.Tensor(np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]]))
        pose = open3d.core.Tensor(cameras.world_to_camera[i].double().cpu().numpy())
        depth, colour = (
            open3d.t.geometry.Image(open3d.core.Tensor(x[i].float().cpu().contiguous().numpy()))
            for x in (depths, colours)
        )
        limits = 1.0, float(depths[i].max()) + 1, float(TRUNCATION_VOXELS)
        if shown[i].any():
            near = grid.compute_unique_block_coordinates(depth, lens, pose, *limits)
            grid.integrate(near, depth, colour, lens, lens, pose, *limits)
