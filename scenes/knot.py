"""View dependence: a trefoil knot like a beetle's shell, as Gaussians with harmonics of degree 3.

Nothing is fitted: the Gaussians are discs in the surface, and the harmonics of each are the least-squares fit
to its colour as seen from all directions in front of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d import files, sh
from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.rotation import wxyz_from_matrix

FILE = "knot.ply"
TUBE, ALONG, AROUND = 0.13, 230, 32
WIDTH, THICKNESS = 0.62, 0.05  # deviations of a disc, in and across the surface, as shares of the gaps
OPACITY = 0.98
INSET = 0.01  # world units: discs bleed over the outline, in pictures of 256 pixels by about this
STEEP, GRAZING = torch.tensor([0.02, 0.50, 0.42]), torch.tensor([0.62, 0.16, 0.66])
TO_LIGHT = normalize(torch.tensor([0.55, 0.45, 0.70]), dim=0)
SHINE, SHININESS = 0.55, 10.0
DIRECTIONS, RIDGE = 512, 1e-2


def make(folder: Path) -> None:
    """A Gaussian at each of the tube's 7360 vertices: a disc as wide as the gaps between them."""
    mesh = _tube(ALONG, AROUND)
    points, normals = (torch.tensor(x, dtype=torch.float32) for x in (mesh.vertices, mesh.vertex_normals))
    corners = torch.tensor(mesh.faces).reshape(-1)
    third = torch.tensor(mesh.area_faces / 3, dtype=torch.float32).repeat_interleave(3)
    gaps = torch.zeros(len(points)).index_add(0, corners, third).sqrt()
    helper = torch.where(normals[:, :1].abs() < 0.7, torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0]))
    across = normalize(torch.linalg.cross(normals, helper), dim=-1)
    axes = torch.stack([across, torch.linalg.cross(normals, across), normals], -1)
    scene = Gaussians(
        points - INSET * normals,
        wxyz_from_matrix(axes),
        (gaps[:, None] * torch.tensor([WIDTH, WIDTH, THICKNESS])).log(),
        torch.logit(torch.tensor(OPACITY)).repeat(len(points)),
        _harmonics(normals),
    )
    files.save(scene, folder / FILE)


def truth(cameras: Cameras) -> Rendering:
    """The tube as triangles, its colour worked out in each pixel."""
    mesh = _tube(2 * ALONG, 2 * AROUND)
    vertices = torch.tensor(mesh.vertices, dtype=torch.float32)
    tube = Mesh(vertices, torch.tensor(mesh.faces), torch.full_like(vertices, 0.5))
    with torch.no_grad():
        seen = tube.render(cameras, want=("rgb", "alpha", "depth", "normal"))
    assert seen.normal is not None
    along = normalize(cameras.rays()[1], dim=-1)
    rgb = seen.alpha * colour(normalize(seen.normal, dim=-1), along)
    return Rendering(rgb, seen.alpha, seen.depth, seen.normal)


def colour(normals: Float[Tensor, "*S 3"], along: Float[Tensor, "*S 3"]) -> Float[Tensor, "*S 3"]:
    """The shell's colour where it is looked at along unit vectors, eye to point.

    Teal seen from above turns purple at a grazing angle, and a white lamp shines on it (Blinn, "Models of
    light reflection for computer synthesized pictures", 1977).
    """
    cosine = -(normals * along).sum(-1, keepdim=True)
    base = GRAZING + (STEEP - GRAZING) * cosine.clamp(0, 1)
    diffuse = 0.65 + 0.35 * (normals @ TO_LIGHT)[..., None]
    half = normalize(TO_LIGHT - along, dim=-1)
    gloss = SHINE * (normals * half).sum(-1, keepdim=True).clamp_min(0) ** SHININESS
    return (base * diffuse + gloss).clamp(0, 1)


def _harmonics(normals: Float[Tensor, "N 3"]) -> Float[Tensor, "N 16 3"]:
    """Least squares over the directions that see each normal's front."""
    along = normalize(torch.randn(DIRECTIONS, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    basis = sh.basis(along, sh.MAX_DEGREE)
    wanted = colour(normals[:, None].expand(-1, DIRECTIONS, 3), along.expand(len(normals), -1, 3)) - 0.5
    weight = ((normals @ along.T) < 0.1).float()
    normal_matrix = torch.einsum("nd,dk,dl->nkl", weight, basis, basis) / DIRECTIONS
    right = torch.einsum("nd,dk,ndc->nkc", weight, basis, wanted) / DIRECTIONS
    ridge = RIDGE * torch.eye(basis.shape[1]) / (4 * torch.pi)
    return torch.linalg.solve(normal_matrix + ridge, right)


def _tube(along: int, around: int) -> trimesh.Trimesh:
    """A tube around the trefoil, closed in both directions."""
    t = np.linspace(0, 2 * np.pi, along, endpoint=False)
    line = np.stack([np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t), -np.sin(3 * t)], 1) * 0.26
    line = line[:, [2, 0, 1]]  # its flat side looks at the first camera
    tangent = np.roll(line, -1, 0) - np.roll(line, 1, 0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    inwards = -line / np.linalg.norm(line, axis=1, keepdims=True)
    first = inwards - (inwards * tangent).sum(1, keepdims=True) * tangent
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangent, first)
    s = np.linspace(0, 2 * np.pi, around, endpoint=False)[:, None, None]
    vertices = line + TUBE * (np.cos(s) * first + np.sin(s) * second)
    here = np.arange(along * around).reshape(around, along)
    right, up, both = (np.roll(here, shift, (0, 1)) for shift in ((0, -1), (-1, 0), (-1, -1)))
    faces = np.stack([here, up, both, here, both, right], -1).reshape(-1, 3)
    mesh = trimesh.Trimesh(vertices.reshape(-1, 3), faces, process=False)
    if mesh.volume < 0:
        mesh.invert()
    return mesh
