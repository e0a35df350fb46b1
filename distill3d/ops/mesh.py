"""Triangle meshes to fragments: which triangle each pixel sees, where on it, and how far away.

The first of four operations that draw a mesh: rasterize, interpolate, texture, antialias.
Source: Laine et al. 2020, Modular Primitives for High-Performance Differentiable Rendering (arXiv
2011.03277).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _mesh_kernels, backends, mesh_reference


@dataclass(frozen=True)
class Fragments:
    """What each pixel's centre sees of a mesh; *B is the cameras' batch shape."""

    triangle: Int32[Tensor, "*B H W"]
    """Index of the face, -1 where nothing is seen."""
    barycentric: Float[Tensor, "*B H W 3"]
    """Perspective-correct weights of the face's three corners; 0 where nothing is seen."""
    depth: Float[Tensor, "*B H W"]
    """The camera's z; 0 where nothing is seen."""
    derivatives: Float[Tensor, "*B H W 3 2"] | None = None
    """How `barycentric` changes by pixel in x and in y, where asked for. No gradient."""


def rasterize(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    cameras: Cameras,
    *,
    derivatives: bool = False,
) -> Fragments:
    """The nearest triangle at each pixel centre; `barycentric` and `depth` are differentiable in `vertices`.

    Which triangle is seen does not change by a little, so silhouettes get no gradient here but from
    `distill3d.ops.antialias.antialias`. Both sides of a triangle are drawn. Triangles that cross the near or
    the far plane are cut there. Of triangles at equal depth the first is seen. Triangles seen edge-on, and
    those with a vertex that is not finite, are not drawn. `derivatives` are what mip-mapping needs.

    Raises TypeError for vertices other than float32 on the compiled backend, IndexError for a face that names
    a vertex which is not there, ValueError for no camera, or for cameras that want a gradient.
    """
    if cameras.shape.numel() == 0:
        raise ValueError("given no camera; give cameras whose batch shape has at least one element")
    check_corners("faces", faces, "vertices", len(vertices))
    backend = backends.choose("mesh", vertices, cameras.world_to_camera, cameras.intrinsics)
    if backend == "reference":
        triangle, barycentric, depth, slopes = mesh_reference.rasterize(vertices, faces, cameras)
        return Fragments(triangle, barycentric, depth, slopes if derivatives else None)
    return Fragments(*_mesh_kernels.rasterize(backend, vertices, faces, cameras, derivatives))


def check_corners(name: str, faces: Int[Tensor, "F 3"], of: str, count: int) -> None:
    """Raise IndexError unless `faces` names rows 0 to count - 1 of something.

    On other devices than the processor looking would mean waiting; there kernels leave such faces out.
    """
    if not len(faces) or faces.device.type != "cpu":
        return
    least, most = (int(bound) for bound in torch.aminmax(faces))
    if least < 0 or most >= count:
        raise IndexError(
            f"given {name} with corners {least} to {most}, expected 0 to {count - 1}; "
            f"drop those {name} or add the {of}"
        )
