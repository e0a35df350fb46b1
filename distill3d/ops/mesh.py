"""Triangle meshes to fragments: which triangle each pixel sees, where on it, and how far away."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

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


def rasterize(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], cameras: Cameras) -> Fragments:
    """The nearest triangle at each pixel centre. Both sides of a triangle are drawn; there is no gradient.

    Triangles that cross the near or the far plane are cut there. Of triangles at equal depth the first is
    seen. Triangles seen edge-on, and those with a vertex that is not finite, are not drawn.

    Raises TypeError for vertices other than float32 on the compiled backend, IndexError for a face that names
    a vertex which is not there.
    """
    if cameras.shape.numel() == 0:
        raise ValueError("given no camera; give cameras whose batch shape has at least one element")
    if len(faces) and not (int(faces.min()) >= 0 and int(faces.max()) < len(vertices)):
        raise IndexError(
            f"given faces with corners {int(faces.min())} to {int(faces.max())}, "
            f"expected 0 to {len(vertices) - 1}; "
            "drop those faces or add the vertices"
        )
    backend = backends.choose("mesh", vertices, cameras.world_to_camera, cameras.intrinsics)
    run = mesh_reference.rasterize if backend == "reference" else partial(_mesh_kernels.rasterize, backend)
    with torch.no_grad():
        return Fragments(*run(vertices, faces, cameras))
