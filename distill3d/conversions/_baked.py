"""Colours of a mesh's texels from a scene's pictures, each from the views that see the place most squarely.

Whether a view sees a place is asked of the mesh and not of the scene, whose surface may be soft: a colour
goes where the mesh hides nothing, and comes from where the scene is opaque.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.conversions._texels import Texels
from distill3d.rendering import Rendering
from distill3d.representations.mesh import Mesh
from distill3d.survey import FAINTEST, survey

BATCH = 4
TOLERANCE = 0.01
"""How far apart, in shares of the scene's radius, a texel and what a view sees may lie: a pixel's slope."""


@torch.no_grad()
def baked(
    texels: Texels, shape: Mesh, render: Callable[[Cameras], Rendering], cameras: Cameras, radius: float
) -> Float[Tensor, "P 3"]:
    """The colour of each texel; one that no view shows has that of the nearest that is shown.

    `shape` is the mesh that the texels lie on, in any colours. Raises ValueError if nothing is shown.
    """

    def onto_shape(cameras: Cameras) -> Rendering:
        seen, mesh = render(cameras), shape.render(cameras, want=("rgb", "alpha", "depth"))
        covered = mesh.alpha > 0.5
        depth = torch.where(covered, seen.alpha * torch.nan_to_num(mesh.mean_depth(), posinf=0.0), 0)
        return Rendering(seen.rgb * covered, seen.alpha * covered, depth)

    total, weights = torch.zeros_like(texels.points), torch.zeros(len(texels.points))
    for i in range(0, len(cameras), BATCH):
        pictures = survey(onto_shape, cameras[i : i + BATCH])
        colours, weight = pictures.weighed(texels.points, texels.normals, tolerance=TOLERANCE * radius)
        total += colours
        weights += weight
    seen = weights > FAINTEST
    if not seen.any():
        raise ValueError("no picture of the scene shows the surface that was taken from it")
    rgb = (total / weights.clamp_min(FAINTEST)[:, None]).clamp(0, 1)
    _, nearest = KDTree(texels.points[seen]).query(texels.points[~seen])
    rgb[~seen] = rgb[seen][torch.from_numpy(nearest)]
    return rgb
