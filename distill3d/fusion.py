"""From pictures to a solid: signed distances and colours fused from renders of any scene.

A scene is only asked for pictures, so Gaussians, voxels, fields and meshes are measured with the same ruler.
Two kinds of evidence meet at every voxel. *Carving*: a camera that sees through the voxel, or sees a surface
clearly behind it, proves it empty. *Averaging*: near the observed surface the truncated distances of all
views are averaged with weights that fall with grazing incidence and behind the surface. What no camera ever
saw past is solid.

The mean depth of a soft scene lies behind its silhouette, where alpha is ½, and would fuse to a solid that is
too thin. So all depths are first moved towards their cameras by one number that makes the two agree (see
`silhouette_offset`); for a scene with hard surfaces it is 0.

Source: Curless and Levoy, A Volumetric Method for Building Complex Models from Range Images, SIGGRAPH 1996,
sections 3 and 4 (distances, weights, carving); Bylow et al., RSS 2013, section III (the weight that falls
behind the surface).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import max_pool3d, normalize

from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.survey import Survey, surround, survey

TRUNCATION_VOXELS = 3
CARVED_VOXELS = 0.05  # how far outside a carved voxel is if its distances say inside; more dents surfaces
CARVING_VIEWS = 2  # one camera may be wrong about a pixel on an edge, two rarely are
CARVING_FACING = 0.2  # depth that is steeper, beyond 78 degrees, is a jump between two surfaces
OUTLINE_RAYS = 400  # rays through the silhouettes' outlines that settle the offset
OUTLINE_SHARE = 0.95  # of them must meet the solid; the rest are left to noise
OUTLINE_VOXELS = 0.2  # how closely they must; hard surfaces keep to it at a pixel of half a voxel
LARGEST_OFFSET = 0.2  # of the extent
HALVINGS = 7  # of the interval in which the offset lies: to 0.0016 of the extent


@dataclass(frozen=True)
class Volume:
    """A cube of voxels around the origin, indexed [x, y, z], sampled at `voxel_centres`."""

    distance: Float[Tensor, "N N N"]
    """World units, negative inside, truncated at `TRUNCATION_VOXELS` voxels."""
    rgb: Float[Tensor, "N N N 3"]
    """Colour seen near the surface, not premultiplied; black where no surface was seen."""
    extent: float
    """Half the side of the cube."""

    @property
    def voxel(self) -> float:
        """The side of a voxel, in world units."""
        return 2 * self.extent / len(self.distance)

    @property
    def inside(self) -> Bool[Tensor, "N N N"]:
        return self.distance < 0

    def centres(self) -> Float[Tensor, "N N N 3"]:
        return voxel_centres(len(self.distance), self.extent).to(self.distance.device)


@torch.no_grad()
def solid(pictures: Survey, *, resolution: int = 64, extent: float = 1.0) -> Volume:
    """The volume that the pictures agree on; everything outside the ball of radius `extent` is empty."""
    if resolution < 2:
        raise ValueError(f"resolution {resolution} is too coarse for a volume; give at least 2 voxels a side")
    pictures = pictures.moved(silhouette_offset(pictures, resolution=resolution, extent=extent))
    device = pictures.alpha.device
    grid = voxel_centres(resolution, extent).to(device)
    in_ball = grid.norm(dim=-1) < extent
    votes = torch.zeros_like(in_ball, dtype=torch.int32)
    for in_picture, alpha in pictures.alphas(grid[in_ball]):
        votes[in_ball] += in_picture & (alpha < 0.5)
    near = in_ball & _dilated(in_ball & (votes < CARVING_VIEWS), TRUNCATION_VOXELS)

    truncation = TRUNCATION_VOXELS * 2 * extent / resolution
    distance = torch.full(in_ball.shape, truncation, device=device)
    rgb = torch.zeros(*in_ball.shape, 3, device=device)
    distance[near], rgb[near] = _average(pictures, grid[near], votes[near], truncation)
    return Volume(distance, rgb, extent)


def fuse(
    render: Callable[[Cameras], Rendering],
    *,
    resolution: int = 64,
    views: int = 64,
    size_px: int = 128,
    extent: float = 1.0,
    lowest_elevation_rad: float = -0.6,
) -> Volume:
    """The solid that a renderer shows: `survey` from all around, then `solid`.

    A scene that shows nothing gives a volume without an inside. A pixel should be smaller than a voxel, or
    thin walls and small holes are lost: size_px of about twice the resolution is right.
    """
    cameras = surround(views, size_px=size_px, extent=extent, lowest_elevation_rad=lowest_elevation_rad)
    return solid(survey(render, cameras), resolution=resolution, extent=extent)


@torch.no_grad()
def silhouette_offset(pictures: Survey, *, resolution: int = 64, extent: float = 1.0) -> float:
    """How far, in world units, depths must move towards their cameras to agree with the silhouettes.

    A ray through a point of an outline, where alpha is ½, touches the surface. The offset is the least with
    which all but a few such rays meet the solid, found by bisection. More would not show: carving bounds the
    solid by its silhouettes, and behind them it would only fill hollows. So the offset is 0 where the solid
    is as wide as its silhouettes already, or where nothing is seen; it is at most `LARGEST_OFFSET`.
    """
    views, places_px = _outline(pictures.alpha[:, 0])
    voxel = 2 * extent / resolution
    points = _along_rays(pictures.cameras[views], places_px, extent, voxel / 2)
    ray = torch.arange(len(points), device=points.device)[:, None].expand(points.shape[:2])
    possible = _possible(pictures, points, extent)
    points, ray = points[possible], ray[possible]
    if not len(points):
        return 0.0

    def agrees(offset: float) -> bool:
        votes = torch.zeros(len(points), dtype=torch.int32, device=points.device)
        distance, _ = _average(pictures.moved(offset), points, votes, TRUNCATION_VOXELS * voxel)
        nearest = distance.new_full((len(views),), torch.inf).scatter_reduce(0, ray, distance, "amin")
        missed_by = nearest[nearest.isfinite()].quantile(OUTLINE_SHARE)
        return missed_by.item() < OUTLINE_VOXELS * voxel

    if agrees(0.0):
        return 0.0
    low, high = 0.0, LARGEST_OFFSET * extent
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if agrees(middle) else (middle, high)
    return high


def _possible(pictures: Survey, points: Float[Tensor, "R S 3"], extent: float) -> Bool[Tensor, "R S"]:
    """Points in the ball that no two cameras see through: the others cannot be on the surface."""
    possible = points.norm(dim=-1) < extent
    votes = torch.zeros(int(possible.sum()), dtype=torch.int32, device=points.device)
    for in_picture, alpha in pictures.alphas(points[possible]):
        votes += in_picture & (alpha < 0.1)
    possible[possible.clone()] = votes < CARVING_VIEWS
    return possible


def _outline(alpha: Float[Tensor, "V H W"]) -> tuple[Int[Tensor, " R"], Float[Tensor, "R 2"]]:
    """Points (view; x, y in pixels) where alpha crosses ½ between neighbours; evenly thinned."""
    views, places = [], []
    for image, swapped in ((alpha, False), (alpha.mT, True)):
        before, after = image[..., :-1], image[..., 1:]
        view, i, j = ((before < 0.5) != (after < 0.5)).nonzero().unbind(-1)
        a, b = before[view, i, j], after[view, i, j]
        along, across = j + 0.5 + (0.5 - a) / (b - a), i + 0.5
        views.append(view)
        places.append(torch.stack([across, along] if swapped else [along, across], -1))
    every = torch.cat(views)
    chosen = torch.linspace(0, len(every) - 1, min(len(every), OUTLINE_RAYS)).long()
    return every[chosen], torch.cat(places)[chosen].to(alpha.dtype)


def _along_rays(
    cameras: Cameras, places_px: Float[Tensor, "R 2"], extent: float, step: float
) -> Float[Tensor, "R S 3"]:
    """Points every `step` world units along the ray of each camera through its place, near the origin."""
    fx, fy, cx, cy = cameras.intrinsics.unbind(-1)
    x, y = places_px.unbind(-1)
    in_camera = torch.stack([(x - cx) / fx, (y - cy) / fy, torch.ones_like(x)], -1)
    directions = normalize((in_camera[:, None] @ cameras.world_to_camera[:, :3, :3])[:, 0], dim=-1)
    nearest = -(cameras.centres * directions).sum(-1, keepdim=True)
    t = nearest + (torch.arange(int(2 * extent / step), device=x.device) + 0.5) * step - extent
    return cameras.centres[:, None] + t[..., None] * directions[:, None]


def voxel_centres(resolution: int, extent: float) -> Float[Tensor, "N N N 3"]:
    """Centres of the voxels of the cube [-extent, extent]³, indexed [x, y, z]."""
    axis = (2 * torch.arange(resolution) + 1 - resolution) * (extent / resolution)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)


def _average(
    pictures: Survey, points: Float[Tensor, "P 3"], votes: Tensor, truncation: float
) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"]]:
    """Signed distances and colours of points near or inside the silhouettes, with `votes` for empty so far.

    In front of the surface a view has full weight; behind it the weight falls to 0 at half the truncation, so
    that the far side of a thin wall does not argue with the near one.
    """
    distances, weights = points.new_zeros(len(points)), points.new_zeros(len(points))
    colours, colour_weights = torch.zeros_like(points), points.new_zeros(len(points))
    for sighting in pictures.sightings(points):
        in_front = sighting.surface_depth - sighting.depth
        votes = votes + (sighting.onto & (in_front > truncation) & (sighting.facing > CARVING_FACING))
        distance = (in_front * sighting.facing).clamp(-truncation, truncation)
        weight = sighting.onto * sighting.facing * (1 + 2 * distance / truncation).clamp(0, 1)
        distances += weight * distance
        weights += weight
        weight = weight * sighting.facing * (1 - distance.abs() / truncation)
        colours += weight[:, None] * sighting.rgb
        colour_weights += weight
    seen, carved = weights > 1e-4, votes >= CARVING_VIEWS
    unseen = torch.where(carved, truncation, -truncation)
    distance = torch.where(seen, distances / weights.clamp_min(1e-4), unseen)
    barely_outside = CARVED_VOXELS * truncation / TRUNCATION_VOXELS
    rgb = torch.where(colour_weights[:, None] > 1e-4, colours / colour_weights.clamp_min(1e-4)[:, None], 0)
    return torch.where(carved, distance.clamp_min(barely_outside), distance), rgb.clamp(0, 1)


def _dilated(mask: Bool[Tensor, "N N N"], radius: int) -> Bool[Tensor, "N N N"]:
    return max_pool3d(mask[None, None].float(), 2 * radius + 1, stride=1, padding=radius)[0, 0] > 0
