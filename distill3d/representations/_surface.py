"""What makes surfels lie on one surface: Huang et al. 2024, "2D Gaussian Splatting for Geometrically Accurate
Radiance Fields" (arXiv 2403.17888), section 4.2.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d.camera import Cameras
from distill3d.rendering import Rendering

SOLID = 0.5
"""Alpha over which a pixel shows a surface."""


def normal_consistency(cameras: Cameras, rendering: Rendering) -> Float[Tensor, ""]:
    """Σ w (1 − n·N), as a mean over pixels, with N the normal of the surface that the depth shows (eq. 14).

    Pixels at the border, and those beside one that shows no surface, count as consistent.
    """
    alpha, normal = rendering.alpha, rendering.normal
    if normal is None:
        raise ValueError('no normals in this rendering; ask for them with want=("depth", "normal")')
    shown = (normal * depth_normals(cameras, rendering)).sum(-1, keepdim=True)
    solid = (alpha > SOLID).movedim(-1, -3).float()
    beside = -torch.nn.functional.max_pool2d(-solid.flatten(0, -4), 3, stride=1)
    inner = beside.unflatten(0, solid.shape[:-3]).movedim(-3, -1)
    inside = (..., slice(1, -1), slice(1, -1), slice(None))
    return (inner * (alpha - shown)[inside]).sum() / alpha.numel()


def depth_normals(cameras: Cameras, rendering: Rendering) -> Float[Tensor, "*B H W 3"]:
    """Unit normals, facing the camera, of the surface through the mean depth of neighbouring pixels (eq. 15).

    Zero at the border; of no meaning where a neighbour shows no surface.
    """
    if rendering.depth is None:
        raise ValueError('no depth in this rendering; ask for it with want=("depth", "normal")')
    origins, directions = cameras.rays()
    points = origins + directions * (rendering.depth / rendering.alpha.clamp_min(SOLID))
    right = points[..., 1:-1, 2:, :] - points[..., 1:-1, :-2, :]
    down = points[..., 2:, 1:-1, :] - points[..., :-2, 1:-1, :]
    normals = normalize(torch.linalg.cross(down, right), dim=-1)
    return torch.nn.functional.pad(normals, (0, 0, 1, 1, 1, 1))
