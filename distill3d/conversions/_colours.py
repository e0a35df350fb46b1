"""The colours of a mesh at places on its surface, from its texture or its vertices."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.conversions._closest import Places
from distill3d.ops.texture import anisotropic
from distill3d.representations.mesh import Mesh


@torch.no_grad()
def colours_at(mesh: Mesh, places: Places, *, spacing: float) -> Float[Tensor, "P 3"]:
    """What the mesh looks like there, in display values, as sharp as places `spacing` world units apart can
    tell: from the mip levels that a picture takes where its pixels are as large and see a triangle squarely.
    """
    colours = mesh.colour_logits.sigmoid().cpu()
    if not hasattr(mesh, "uv"):
        return torch.from_numpy(places.of(colours.numpy(), mesh.faces.cpu().numpy())).float()
    at = torch.from_numpy(places.of(mesh.uv.cpu().numpy(), mesh.uv_indices.cpu().numpy())).float()
    footprints = spacing * _gradients(mesh)[torch.from_numpy(places.triangle)]
    return anisotropic(colours, at[None, None], footprints[None, None])[0, 0]


def _gradients(mesh: Mesh) -> Float[Tensor, "F 2 2"]:
    """How u and v change by world unit along each triangle, in two directions; not finite without an area."""
    corners = mesh.vertices().cpu()[mesh.faces.cpu().long()]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = first.norm(dim=-1)
    along = (first * second).sum(-1) / length
    across = torch.linalg.cross(first, second).norm(dim=-1) / length
    at = mesh.uv.cpu()[mesh.uv_indices.cpu().long()]
    by_first, by_second = (at[:, 1] - at[:, 0]) / length[:, None], at[:, 2] - at[:, 0]
    return torch.stack([by_first, (by_second - along[:, None] * by_first) / across[:, None]], -1)
