"""Pictures of a mesh with soft silhouettes, through which vertices feel what a picture gains by moving them.

Source: Laine et al. 2020 (arXiv 2011.03277), section 3.6; the exact rule is in `antialias_reference`.
"""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _antialias_kernels, antialias_reference, backends
from distill3d.ops.mesh import Fragments, check_corners


def antialias(
    picture: Float[Tensor, "*B H W C"],
    fragments: Fragments,
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    cameras: Cameras,
    *,
    opposite: Int[Tensor, "F 3"] | None = None,
) -> Float[Tensor, "*B H W C"]:
    """Blend neighbouring pixels where a silhouette runs between them; differentiable in picture and vertices.

    `fragments` are what `rasterize` made of these vertices, faces and cameras. `opposite` is
    `opposite_corners(faces)`, to be given where the faces are used more than once. Silhouettes are borders
    of the surface, and edges where it folds back as seen from the camera; where two surfaces meet without an
    edge nothing is blended.

    Raises ValueError for shapes that do not agree or cameras that want a gradient, IndexError for faces
    without their vertices, TypeError for other than float32 on the compiled backend.
    """
    _check(picture, fragments, cameras)
    check_corners("faces", faces, "vertices", len(vertices))
    if opposite is None:
        opposite = opposite_corners(faces)
    if opposite.shape != faces.shape:
        raise ValueError(
            f"given opposite {tuple(opposite.shape)} beside faces {tuple(faces.shape)}; "
            "give opposite_corners(faces)"
        )
    backend = backends.choose("mesh", picture, vertices, cameras.world_to_camera, cameras.intrinsics)
    reference = backend == "reference"
    run = antialias_reference.antialias if reference else partial(_antialias_kernels.antialias, backend)
    return run(picture, fragments.triangle, fragments.depth.detach(), vertices, faces, opposite, cameras)


def opposite_corners(faces: Int[Tensor, "F 3"]) -> Int32[Tensor, "F 3"]:
    """For each corner, numbered 3 · face + 0, 1 or 2, the corner across its opposite edge.

    -1 where that edge is a border, or belongs to more than two faces. Faces that name a vertex twice do not
    count.
    """
    flat = faces.long()
    low, high = flat[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2).sort(-1).values.unbind(-1)
    proper = (flat != flat.roll(1, 1)).all(1).repeat_interleave(3)
    corners = proper.nonzero()[:, 0]
    _, edge, uses = torch.unique((low << 32 | high)[corners], return_inverse=True, return_counts=True)
    order = edge.argsort(stable=True)
    pairs = corners[order[uses[edge[order]] == 2]].reshape(-1, 2)
    opposite = torch.full((faces.numel(),), -1, dtype=torch.int32, device=faces.device)
    opposite[pairs] = pairs.flip(1).int()
    return opposite.reshape(-1, 3)


def _check(picture: Tensor, fragments: Fragments, cameras: Cameras) -> None:
    shape = (*cameras.shape, cameras.height, cameras.width)
    for name, given in (("a picture", picture.shape[:-1]), ("fragments", fragments.triangle.shape)):
        if tuple(given) != shape:
            raise ValueError(f"given {name} of {tuple(given)} pixels, expected the cameras' {shape}")
