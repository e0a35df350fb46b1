"""Triangle meshes to fragments: which triangle each pixel sees, where on it, and how far away."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import mesh_reference


@dataclass(frozen=True)
class Fragments:
    """What each pixel's centre sees of a mesh; *B is the cameras' batch shape."""

    triangle: Int32[Tensor, "*B H W"]
    """Index of the face, -1 where nothing is seen."""
    barycentric: Float[Tensor, "*B H W 3"]
    """Perspective-correct weights of the face's three corners; 0 where nothing is seen."""
    depth: Float[Tensor, "*B H W"]
    """The camera's z; 0 where nothing is seen."""


def rasterize(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], cameras: Cameras
) -> Fragments:
    """The nearest triangle at each pixel centre. Both sides of a triangle are drawn; there is no gradient.

    Triangles that cross the near or far plane are cut there. Of triangles at equal depth the first is seen.
    Triangles seen edge-on, and triangles with a vertex that is not finite, are not drawn.
    """
    views = cameras.shape.numel()
    with torch.no_grad():
        parts = [
            mesh_reference.rasterize_one(vertices, faces, _flat(cameras)[view]) for view in range(views)
        ]
    return Fragments(*[torch.stack(part).reshape(*cameras.shape, *part[0].shape) for part in zip(*parts, strict=True)])


def _flat(cameras: Cameras) -> Cameras:
    return Cameras(
        cameras.world_to_camera.reshape(-1, 4, 4), cameras.intrinsics.reshape(-1, 4),
        cameras.width, cameras.height, cameras.near, cameras.far,
    )
