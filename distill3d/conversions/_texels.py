"""The texels of a wrapped picture as places on the surface; and what colours lie beside the charts.

A picture's own unwrapping is a flat mesh, seen by a camera right above it: each pixel sees the triangle that
its texel belongs to, and where on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops.mesh import rasterize
from distill3d.representations.mesh import vertex_normals


@dataclass(frozen=True)
class Texels:
    """The texels of a square picture whose centres lie in a chart."""

    side_px: int
    index: Int[Tensor, " P"]
    """Row times the side plus column."""
    points: Float[Tensor, "P 3"]
    normals: Float[Tensor, "P 3"]
    """Unit, outward, and smooth over the edges between triangles."""

    def picture(self, colours: Float[Tensor, "P 3"]) -> Float[Tensor, "S S 3"]:
        """The picture with these colours; what lies in no chart has the colour of the nearest texel."""
        blank = torch.ones(self.side_px**2, dtype=torch.bool)
        image = torch.zeros(self.side_px**2, 3)
        blank[self.index], image[self.index] = False, colours
        square = (self.side_px, self.side_px)
        nearest = np.zeros((2, *square), np.int32)
        distance_transform_edt(
            blank.reshape(square).numpy(), return_distances=False, return_indices=True, indices=nearest
        )
        row, column = torch.from_numpy(nearest).long()
        return image.reshape(*square, 3)[row, column]


def texels(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    uv: Float[Tensor, "T 2"],
    uv_indices: Int[Tensor, "F 3"],
    side_px: int,
) -> Texels:
    """The texels that a mesh uses of a picture `side_px` wide and high, which its charts do not share."""
    flat = torch.cat([uv, torch.ones_like(uv[:, :1])], 1)
    above = Cameras(torch.eye(4), torch.tensor([side_px, side_px, 0, 0]).float(), side_px, side_px)
    fragments = rasterize(flat, uv_indices, above)
    triangle = fragments.triangle.reshape(-1)
    index = (triangle >= 0).nonzero()[:, 0]
    corners = faces[triangle[index].long()].long()
    weights = fragments.barycentric.reshape(-1, 3)[index]
    normals = vertex_normals(vertices, faces)
    points, directions = ((weights[..., None] * rows[corners]).sum(1) for rows in (vertices, normals))
    return Texels(side_px, index, points, torch.nn.functional.normalize(directions, dim=-1))
