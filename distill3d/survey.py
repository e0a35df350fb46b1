"""Pictures of a scene from all around, and what they say about points in space."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from distill3d.camera import ORBIT_RADIUS, Cameras, orbit
from distill3d.rendering import Rendering, concatenate

GOLDEN_ANGLE_RAD = math.pi * (3 - math.sqrt(5))
FAINTEST = 1e-6
"""Weight up to which a point counts as unseen."""


@dataclass(frozen=True)
class Sighting:
    """What one picture says about some points."""

    depth: Float[Tensor, " P"]
    """Camera z of the points themselves."""
    in_picture: Bool[Tensor, " P"]
    alpha: Float[Tensor, " P"]
    rgb: Float[Tensor, "P 3"]
    """Colour of what is seen there, not premultiplied."""
    surface_depth: Float[Tensor, " P"]
    """Camera z of what is seen there."""
    facing: Float[Tensor, " P"]
    """Cosine of incidence on what is seen there; near 0 where two surfaces mix in a pixel."""

    @property
    def onto(self) -> Bool[Tensor, " P"]:
        """Where a surface is seen, in front of the point or behind it."""
        return self.in_picture & (self.alpha >= 0.5)


@dataclass(frozen=True)
class Survey:
    """Pictures of a scene from all around, ready to be asked about points in space."""

    cameras: Cameras
    alpha: Float[Tensor, "V 1 H W"]
    seen: Float[Tensor, "V 5 H W"]
    """Premultiplied rgb, depth and facing. Weighting by alpha keeps the background out of every lookup."""

    def moved(self, offset: float) -> Survey:
        """The same pictures with every surface `offset` world units nearer to its camera, along camera z."""
        seen = self.seen.clone()
        seen[:, 3:4] -= offset * self.alpha
        return replace(self, seen=seen)

    def alphas(
        self, points: Float[Tensor, "P 3"]
    ) -> Iterator[tuple[Bool[Tensor, " P"], Float[Tensor, " P"]]]:
        """For one camera after the other: whether the points are in its picture, and alpha there."""
        for i in range(len(self.cameras)):
            grid, _, in_picture = _project(points, self.cameras[i])
            yield in_picture, _lookup(self.alpha[i], grid)[0]

    def sightings(self, points: Float[Tensor, "P 3"]) -> Iterator[Sighting]:
        """For one camera after the other: what it says about the points."""
        for i in range(len(self.cameras)):
            grid, depth, in_picture = _project(points, self.cameras[i])
            values = _lookup(torch.cat([self.alpha[i], self.seen[i]]), grid)
            alpha, seen = values[0], values[1:] / values[0].clamp_min(1e-4)
            yield Sighting(depth, in_picture, alpha, seen[:3].T, seen[3], seen[4])

    def paint(
        self, points: Float[Tensor, "P 3"], normals: Float[Tensor, "P 3"], *, tolerance: float
    ) -> tuple[Float[Tensor, "P 3"], Bool[Tensor, " P"]]:
        """Colours of surface points from the cameras that see them best, and which points were seen at all.

        A camera sees a point when it finds a surface within `tolerance` world units of it. It counts with the
        fourth power of the cosine between the outward normal and the way to the camera, so nearly frontal
        views decide.
        """
        total, weights = self.weighed(points, normals, tolerance=tolerance)
        seen = weights > FAINTEST
        return torch.where(seen[:, None], total / weights.clamp_min(FAINTEST)[:, None], 0).clamp(0, 1), seen

    def weighed(
        self, points: Float[Tensor, "P 3"], normals: Float[Tensor, "P 3"], *, tolerance: float
    ) -> tuple[Float[Tensor, "P 3"], Float[Tensor, " P"]]:
        """The sum of the weighted colours that `paint` divides, and that of the weights: both add up over
        surveys, so that not all pictures have to be held at once.
        """
        total, weights = torch.zeros_like(points), points.new_zeros(len(points))
        for centre, sighting in zip(self.cameras.centres, self.sightings(points), strict=True):
            to_camera = torch.nn.functional.normalize(centre - points, dim=-1)
            cosine = (normals * to_camera).sum(-1).clamp_min(0)
            visible = sighting.onto & ((sighting.surface_depth - sighting.depth).abs() < tolerance)
            weight = torch.where(visible, cosine**4 * sighting.facing, 0)
            total += weight[:, None] * sighting.rgb
            weights += weight
        return total, weights


def surround(views: int, *, size_px: int, extent: float = 1.0, lowest_elevation_rad: float = -0.6) -> Cameras:
    """Cameras spread evenly over the sphere, a golden spiral from above down to `lowest_elevation_rad`.

    They see the ball of radius `extent` whole; a little from below is enough to find the underside.
    """
    index = torch.arange(views) + 0.5
    lowest = math.sin(lowest_elevation_rad)
    elevations_rad = torch.asin(1 - (1 - lowest) * index / views)
    azimuths_rad = index * GOLDEN_ANGLE_RAD
    return orbit(azimuths_rad, elevations_rad, radius=ORBIT_RADIUS * extent, width=size_px, height=size_px)


@torch.no_grad()
def survey(render: Callable[[Cameras], Rendering], cameras: Cameras, *, batch: int = 8) -> Survey:
    """Pictures from `cameras`, `batch` at a time; `render` must give depth."""
    pictures = concatenate([render(cameras[i : i + batch]) for i in range(0, len(cameras), batch)])
    if pictures.depth is None:
        raise ValueError(
            'fusion needs depth, but the renders have none; render with want=("rgb", "alpha", "depth")'
        )
    depth = torch.nan_to_num(pictures.mean_depth(), posinf=0.0)
    facing = _facing(depth, pictures.alpha, cameras.to(depth.device))
    seen = torch.cat([pictures.rgb, pictures.alpha * depth, pictures.alpha * facing], -1)
    return Survey(cameras.to(depth.device), _channels_first(pictures.alpha), _channels_first(seen))


def _facing(
    depth: Float[Tensor, "V H W 1"], alpha: Float[Tensor, "V H W 1"], cameras: Cameras
) -> Float[Tensor, "V H W 1"]:
    """Cosine of incidence, from the steepest depth difference to a neighbour that shows a surface too."""
    pixel = depth / cameras.intrinsics[:, None, None, :1]  # world units that a pixel spans at that depth
    shown = alpha >= 0.5

    def steepest(depth: Tensor, shown: Tensor) -> Tensor:
        step = depth.diff(dim=-1).abs() * (shown[..., 1:] & shown[..., :-1])
        return torch.maximum(pad(step, (1, 0)), pad(step, (0, 1)))

    across = steepest(depth[..., 0], shown[..., 0])
    along = steepest(depth[..., 0].mT, shown[..., 0].mT).mT
    return (1 + (across**2 + along**2)[..., None] / pixel.clamp_min(1e-6) ** 2).rsqrt()


def _project(
    points: Float[Tensor, "P 3"], camera: Cameras
) -> tuple[Float[Tensor, "P 2"], Float[Tensor, " P"], Bool[Tensor, " P"]]:
    """Places in the picture on [-1, 1]², camera z, and whether the picture shows them."""
    x, y, z = (points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]).unbind(-1)
    fx, fy, cx, cy = camera.intrinsics
    ahead = z > camera.near
    safe_z = torch.where(ahead, z, 1)
    grid = torch.stack(
        [2 * (fx * x / safe_z + cx) / camera.width - 1, 2 * (fy * y / safe_z + cy) / camera.height - 1], -1
    )
    return grid, z, ahead & (grid.abs() <= 1).all(-1)


def _lookup(image: Float[Tensor, "C H W"], grid: Float[Tensor, "P 2"]) -> Float[Tensor, "C P"]:
    """Bilinear, with pixel centres at +0.5."""
    return grid_sample(image[None], grid[None, None], padding_mode="border", align_corners=False)[0, :, 0]


def _channels_first(image: Float[Tensor, "V H W C"]) -> Float[Tensor, "V C H W"]:
    return image.movedim(-1, 1).contiguous()
