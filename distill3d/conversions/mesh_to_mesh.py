"""A mesh to one with fewer triangles in a texture of its own, painted as the first one is."""

from __future__ import annotations

import math

import numpy as np
import torch
import trimesh

from distill3d.conversions._closest import Surface
from distill3d.conversions._colours import colours_at
from distill3d.conversions._simplified import simplified
from distill3d.conversions._texels import texels
from distill3d.conversions._unwrapped import check, unwrapped
from distill3d.representations.mesh import Mesh, Texture

TEXELS_APART = 4.0
"""How far apart the points are strewn that find the closest places on the first mesh."""


@torch.no_grad()
def mesh_to_mesh(mesh: Mesh, *, triangles: int = 20_000, texture_px: int = 1024) -> Mesh:
    """The same surface with about `triangles` faces at most, unwrapped anew, and a square texture.

    Each texel has the colour of the closest place on `mesh`, whether that comes from a texture or from
    vertices. Raises ValueError for a mesh without
    triangles, and where too few are asked for.
    """
    check(triangles, texture_px)
    if not len(mesh.faces):
        raise ValueError("the mesh has no triangles, so there is no surface; give one with faces")
    vertices, faces = mesh.vertices().cpu().double().numpy(), mesh.faces.cpu().numpy()
    first, row = np.unique(vertices, axis=0, return_inverse=True)
    shape = simplified(trimesh.Trimesh(first, row.reshape(-1)[faces], process=False), triangles)
    uv, indices = unwrapped(shape, texture_px)
    corners = torch.tensor(shape.vertices, dtype=torch.float32), torch.tensor(shape.faces)
    places = texels(*corners, uv, indices, texture_px)
    spacing = math.sqrt(shape.area / max(len(places.points), 1))
    source = Surface(vertices[faces], TEXELS_APART * spacing)
    colours = colours_at(mesh, source.closest(places.points.double().numpy()), spacing=spacing)
    made = Mesh(*corners, Texture(places.picture(colours), uv, indices))
    made.scene_transform.copy_(mesh.scene_transform)
    return made.to(mesh.unsmoothed.device)
