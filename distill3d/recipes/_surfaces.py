"""What stands between a recipe's stages: the surface of a scene as a mesh that can learn, and as points."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor
from trimesh.remesh import subdivide
from trimesh.sample import sample_surface

from distill3d.conversions.scene_to_mesh import scene_to_mesh
from distill3d.representations.mesh import SMOOTHED_AT_MOST, Mesh
from distill3d.scene import Scene

SMOOTHNESS = 8.0  # of meshes whose vertices move, as of those that are started


def mesh_of(scene: Scene, *, resolution: int) -> Mesh:
    """The surface that a scene shows, with as many vertices as can be moved smoothly (see Mesh)."""
    surface = scene_to_mesh(scene, resolution=resolution)
    fine = Mesh.from_trimesh(surface)
    vertices, colours = fine.vertices().detach(), fine.colour_logits.detach().sigmoid()
    if len(vertices) <= SMOOTHED_AT_MOST:
        return Mesh(vertices, fine.faces, colours, smoothness=SMOOTHNESS)
    # a closed surface has twice as many faces as vertices; each vertex that is left has its nearest's colour
    coarse = surface.simplify_quadric_decimation(face_count=2 * SMOOTHED_AT_MOST - 64)
    _, nearest = KDTree(vertices.numpy()).query(coarse.vertices)
    places = torch.tensor(coarse.vertices, dtype=torch.float32)
    faces = torch.tensor(coarse.faces)
    return Mesh(places, faces, colours[torch.from_numpy(nearest)], smoothness=SMOOTHNESS)


@torch.no_grad()
def still(mesh: Mesh, *, subdivisions: int = 0) -> Mesh:
    """The same surface with colours alone to learn, at its vertices, of which there can be more."""
    vertices, faces = mesh.vertices().numpy(), mesh.faces.numpy()
    colours = mesh.colour_logits.sigmoid().numpy()
    for _ in range(subdivisions):
        finer: Any = subdivide(vertices, faces, vertex_attributes={"colours": colours})
        vertices, faces, colours = finer[0], finer[1], finer[2]["colours"]
    fine = Mesh(torch.tensor(vertices), torch.tensor(faces), torch.tensor(colours))
    fine.unsmoothed.requires_grad_(False)
    return fine


def points_of(mesh: Mesh, count: int, *, seed: int) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"]]:
    """Places spread evenly over a mesh, and its colours there."""
    shape = mesh.as_trimesh()
    places, face, *_ = sample_surface(shape, count, seed=seed)
    colours = mesh.colour_logits.detach().sigmoid()[mesh.faces.long()].mean(1)
    return torch.tensor(np.asarray(places), dtype=torch.float32), colours[torch.from_numpy(face)]
