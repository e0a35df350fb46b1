"""A mesh as a field: density from the depth under its surface, and the colour of the nearest place on it.

With s the signed distance, σ(s) = (h/β²) log(1 + exp(−s/h)). Deep under the surface that is −s/β²: a ray that
goes in squarely has the transmittance exp(−s²/2β²) and ends within β or so. Outside, σ falls by e in every h.
The pictures of a mesh show the mean of every pixel, and those of a field what a single ray meets; so β is
about half a pixel of a picture of 128², else silhouettes would be stairs. Nor has log σ a jump, which grids
and networks could not follow. (Wang et al. 2021, NeuS, arXiv 2106.10689, take a density on both sides of a
surface, too.)
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import binary_dilation, distance_transform_edt
from torch import Tensor
from torch.nn.functional import adaptive_max_pool3d, grid_sample

from distill3d.conversions._closest import Surface
from distill3d.conversions._colours import colours_at
from distill3d.conversions._inside import inside
from distill3d.field import CELLS, SHARPNESS, Field, log_sharp
from distill3d.fusion import voxel_centres
from distill3d.representations.mesh import Mesh

BAND_VOXELS = 2
"""How far from the surface the distance is exact; beyond, it is about right."""
BLUR_VOXELS = 0.7
"""β, in voxels."""
FADE_VOXELS = 0.15
"""h, in voxels."""
TEXTURE_VOXELS = 1.4
"""How far apart colours can be told, in voxels: rays go through them at a slant, and as deep as β."""
SHEET_VOXELS = 1.5
"""Half the thickness of a sheet, in voxels; through a thinner one would be seen."""
SAMPLES = 512


class MeshField(Field):
    """What `MeshField.of` makes of a mesh: distances and colours on a dense grid over [-1, 1]³."""

    grid: Tensor

    def __init__(self, grid: Float[Tensor, "4 N N N"]) -> None:
        """Signed distance and colour at the centres of voxels, axes z, y, x."""
        super().__init__(samples=SAMPLES)
        self.register_buffer("grid", grid)
        densest = _log_density(grid[:1], 2 / grid.shape[-1]).exp()
        self.remembered.copy_(adaptive_max_pool3d(densest, CELLS)[0])

    @classmethod
    def of(cls, mesh: Mesh, *, resolution: int = 192) -> MeshField:
        """The field that looks like `mesh`, as sharp as `resolution` voxels a side allow.

        What a surface encloses is solid, gaps and facing aside (see `_inside`); what encloses nothing is a
        sheet. Raises ValueError for a mesh without triangles, or one that is not within the unit ball.
        """
        _check(mesh, resolution)
        field = cls(_grid(mesh, resolution))
        field.scene_transform.copy_(mesh.scene_transform)
        return field.to(mesh.unsmoothed.device)

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], None]:
        """See `Field.query`; colours do not depend on the direction of sight."""
        distance, *rgb = grid_sample(
            self.grid[None], x[None, None, None], padding_mode="border", align_corners=False
        )[0, :, 0, 0]
        return _log_density(distance, 2 / self.grid.shape[-1]), torch.stack(rgb, -1), None


def _log_density(distance: Float[Tensor, "*S"], voxel: float) -> Float[Tensor, "*S"]:
    """The logarithm of σ(s), for voxels of this side."""
    fade, blur = FADE_VOXELS * voxel, BLUR_VOXELS * voxel
    raw = (-distance / fade).reshape(-1)
    return log_sharp(raw).reshape(distance.shape) + math.log(fade / blur**2 / SHARPNESS)


def _check(mesh: Mesh, resolution: int) -> None:
    if resolution < CELLS:
        raise ValueError(f"resolution {resolution} is too coarse for a mesh as a field; give {CELLS} or more")
    if not len(mesh.faces):
        raise ValueError("the mesh has no triangles, so there is no surface; give one with faces")
    farthest = float(mesh.vertices().detach().norm(dim=-1).max())
    if not farthest <= 1:
        raise ValueError(
            f"the mesh reaches {farthest:.3g} from the origin, and a field is the unit ball around it; "
            "scale and shift the mesh first"
        )


@torch.no_grad()
def _grid(mesh: Mesh, resolution: int) -> Float[Tensor, "4 N N N"]:
    """Exact near the surface; elsewhere continued from the nearest voxel that is."""
    voxel = 2 / resolution
    vertices, faces = mesh.vertices().cpu().double().numpy(), mesh.faces.cpu().numpy().astype(np.int64)
    surface = Surface(vertices[faces], voxel / 2)
    band = _band(surface.strewn.points, resolution)
    at = voxel_centres(resolution, 1.0).double().numpy()[band]
    places = surface.closest(at)

    exact = np.zeros((resolution, resolution, resolution, 4), np.float32)
    exact[band, 0] = np.linalg.norm(places.points - at, axis=1)
    exact[band, 1:] = colours_at(mesh, places, spacing=TEXTURE_VOXELS * voxel).numpy()
    solid = inside(surface.triangles, resolution)
    sheet = np.zeros_like(solid)
    sheet[band] = _sheets(surface.triangles, solid)[places.triangle]

    away, (x, y, z) = distance_transform_edt(~band, return_indices=True)  # pyright: ignore[reportGeneralTypeIssues]
    grid = exact[x, y, z]
    grid[..., 0] += voxel * away
    thick = np.where(sheet[x, y, z], SHEET_VOXELS * voxel, 0)
    grid[..., 0] = np.where(solid, -1, 1) * grid[..., 0] - np.where(solid, 0, thick)
    return torch.from_numpy(grid).permute(3, 2, 1, 0).contiguous()


def _band(points: Float[np.ndarray, "P 3"], resolution: int) -> Bool[np.ndarray, "N N N"]:
    """The voxels near points of the surface, axes x, y, z."""
    near = np.zeros((resolution, resolution, resolution), bool)
    x, y, z = _voxels(points, resolution).T
    near[x, y, z] = True
    return binary_dilation(near, np.ones((3, 3, 3), bool), BAND_VOXELS)


def _sheets(
    triangles: Float[np.ndarray, "F 3 3"], solid: Bool[np.ndarray, "N N N"]
) -> Bool[np.ndarray, " F"]:
    """Which triangles have nothing solid on either side: sheets, and walls that are thinner than a voxel."""
    voxel = 2 / len(solid)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-30)
    sides = triangles.mean(1) + voxel * np.array([1, -1])[:, None, None] * normals
    x, y, z = np.moveaxis(_voxels(sides, len(solid)), -1, 0)
    return np.logical_not(solid[x, y, z].any(0))


def _voxels(points: Float[np.ndarray, "*P 3"], resolution: int) -> Int[np.ndarray, "*P 3"]:
    """The voxels that points lie in, or the nearest ones."""
    return ((points + 1) * (resolution / 2)).astype(np.int64).clip(0, resolution - 1)
