"""The colours of a mesh at places on its surface, from its texture or its vertices."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from distill3d.conversions._closest import Places
from distill3d.ops.texture import bilinear, mip_levels
from distill3d.representations.mesh import Mesh, face_normals


@torch.no_grad()
def colours_at(mesh: Mesh, places: Places, *, spacing: float) -> Float[Tensor, "P 3"]:
    """What the mesh looks like there, in display values, as sharp as places `spacing` world units apart can
    tell: from the mip level whose texels are about as large.
    """
    colours = mesh.colour_logits.sigmoid().cpu()
    if not hasattr(mesh, "uv"):
        return torch.from_numpy(places.of(colours.numpy(), mesh.faces.cpu().numpy())).float()
    levels = mip_levels(colours[None])
    level = min(max(round(math.log2(spacing / _texel(mesh))), 0), len(levels) - 1)
    at = torch.from_numpy(places.of(mesh.uv.cpu().numpy(), mesh.uv_indices.cpu().numpy())).float()
    return bilinear(levels[level][0], at[None, None])[0, 0]


def _texel(mesh: Mesh) -> float:
    """The side of a texel on the surface, in world units, in the mean."""
    surface = face_normals(mesh.vertices(), mesh.faces).norm(dim=-1).sum()
    flat = face_normals(pad(mesh.uv, (0, 1)), mesh.uv_indices).norm(dim=-1).sum()
    texels = flat * mesh.colour_logits.shape[:2].numel()
    return math.sqrt(float(surface) / max(float(texels), 1.0))
