"""A mesh to Gaussians or surfels that tile its surface: each lies flat on its part and has its mean colour.

The parts are the cells of a centroidal Voronoi tessellation of the surface (Du, Faber and Gunzburger 1999,
SIAM Review 41(4)), found by Lloyd's iteration on points strewn over it. So there are as many as asked for,
they fit together over a texture's seams as over any other place, and a primitive with a cell's mean and
covariance is as large as the gap that it has to fill. Cells are of places, normals and colours together,
so that they end where the colour changes, as superpixels do (Achanta et al. 2012, SLIC, equation 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from torch import Tensor

from distill3d.conversions._closest import Surface
from distill3d.conversions._colours import colours_at
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh, face_normals
from distill3d.representations.surfels import Surfels
from distill3d.rotation import wxyz_from_matrix
from distill3d.sh import degree_0_from_rgb

POINTS_EACH = 12
"""Points strewn for each primitive, at least."""
ROUNDS = 6
"""Of Lloyd's iteration, after which cells change little."""
FACING = 0.5
"""How far apart opposite normals count, in cells: the sides of a wall that is thinner get their own."""
PAINTED = 2.0
"""How far apart black and white count, in cells."""
WIDENED = 2.0
"""Deviations in units of a cell's: less and gaps show, more and patterns blur."""
FLATNESS = 0.1
"""Thickness of a Gaussian, as a share of its smaller deviation along the surface."""
THINNEST = 0.2
"""The least deviation, as a share of the usual one: that of a cell of a single point is 0."""
OPACITY = 0.98


def mesh_to_primitives(
    mesh: Mesh, kind: Literal["gaussians", "surfels"], *, count: int
) -> Gaussians | Surfels:
    """`count` primitives that look like the mesh; colours are constant, as they are on a mesh.

    They are fewer where parts of the surface coincide. Raises ValueError for a mesh without area, or a count
    that is no positive number.
    """
    if count < 1:
        raise ValueError(f"a mesh cannot become {count} {kind}; ask for 1 or more")
    cells = _cells(mesh, count)
    wxyz, deviations = _flat(cells)
    scales = WIDENED * deviations
    if kind == "gaussians":
        scales = torch.cat([scales, FLATNESS * scales[:, 1:]], 1)
    made = (Gaussians if kind == "gaussians" else Surfels)(
        cells.means,
        wxyz,
        scales.log(),
        torch.full((len(wxyz),), math.log(OPACITY / (1 - OPACITY))),
        degree_0_from_rgb(cells.colours)[:, None],
    )
    made.scene_transform.copy_(mesh.scene_transform)
    return made.to(mesh.unsmoothed.device)


@dataclass(frozen=True)
class Cells:
    """Parts of a surface."""

    means: Float[Tensor, "N 3"]
    normals: Float[Tensor, "N 3"]
    """Outward, as short as those of a cell disagree."""
    covariances: Float[Tensor, "N 3 3"]
    colours: Float[Tensor, "N 3"]


@torch.no_grad()
def _cells(mesh: Mesh, count: int) -> Cells:
    vertices, faces = mesh.vertices().cpu(), mesh.faces.cpu().long()
    doubled = face_normals(vertices, faces)
    areas = doubled.norm(dim=-1) / 2
    if not 0 < float(areas.sum()) < math.inf:
        raise ValueError("the mesh has no surface, as its triangles have no area; give one with faces")
    side = math.sqrt(float(areas.sum()) / count)
    strewn = Surface(vertices[faces].double().numpy(), side / math.sqrt(POINTS_EACH)).strewn
    triangle, points = torch.from_numpy(strewn.triangle), torch.from_numpy(strewn.points).float()
    normals = torch.nn.functional.normalize(doubled, dim=-1)[triangle]
    weights = (areas / torch.bincount(triangle, minlength=len(areas)).clamp_min(1))[triangle]
    colours = colours_at(mesh, strewn, spacing=side / math.sqrt(POINTS_EACH))
    places = torch.cat([points, FACING * side / 2 * normals, PAINTED * side * colours], 1)
    mean = _tessellated(places, weights, count)

    means = mean(points)
    offsets = points - means[mean.cell]
    covariances = mean((offsets[:, :, None] * offsets[:, None]).flatten(1)).unflatten(1, (3, 3))
    return Cells(means, mean(normals), covariances, mean(colours))


@dataclass(frozen=True)
class Mean:
    """Means over the points of each cell."""

    cell: Int[Tensor, " P"]
    weights: Float[Tensor, " P"]
    count: int

    def __call__(self, values: Float[Tensor, "P K"]) -> Float[Tensor, "N K"]:
        total = values.new_zeros(self.count, values.shape[1] + 1)
        weighted = self.weights[:, None] * torch.nn.functional.pad(values, (0, 1), value=1.0)
        total.index_add_(0, self.cell, weighted)
        return total[:, :-1] / total[:, -1:]


def _tessellated(places: Float[Tensor, "P K"], weights: Float[Tensor, " P"], count: int) -> Mean:
    """Cells of about the same weight, none of them empty; fewer than `count` where places coincide."""
    shares = weights.double().cumsum(0) / weights.double().sum() * count
    first = torch.searchsorted(shares, torch.arange(count) + 0.5).clamp_max(len(places) - 1)
    centres = places[first]
    for _ in range(ROUNDS):
        _, nearest = KDTree(centres.numpy()).query(places.numpy(), workers=-1)
        used, cell = torch.unique(torch.from_numpy(nearest), return_inverse=True)
        mean = Mean(cell, weights, len(used))
        centres = mean(places)
    return mean


def _flat(cells: Cells) -> tuple[Float[Tensor, "N 4"], Float[Tensor, "N 2"]]:
    """Turns whose third axes are the normals, and the cells' deviations along the first and the second."""
    normals = torch.nn.functional.normalize(cells.normals, dim=-1)
    along = torch.eye(3) - normals[:, :, None] * normals[:, None]
    variances, axes = torch.linalg.eigh(along @ cells.covariances @ along)
    first = axes[:, :, 2] - (axes[:, :, 2] * normals).sum(-1, keepdim=True) * normals
    first = torch.nn.functional.normalize(first, dim=-1)
    frame = torch.stack([first, torch.linalg.cross(normals, first), normals], -1)
    deviations = variances[:, [2, 1]].clamp_min(0).sqrt()
    least = THINNEST * deviations.median()
    return wxyz_from_matrix(frame), deviations.clamp_min(float(least))
