"""The definition of `surfels` in plain torch: dense, differentiable by autograd in any float type.

Every constant and rule that the kernels follow is written here, in the same words as in
cuda/include/d3d/surfel_plane.h and surfel.h.

A surfel is a Gaussian on a disc: the first two columns of its rotation are the disc's axes, the third its
normal, and at its point (u, v), in standard deviations, it has the density exp(-(u² + v²) / 2).

1. Intersection. A pixel's ray meets the surfel's plane at (u, v) and at the camera depth z (the paper's
   equations 8 to 10). The meeting counts where z is at least the camera's near plane. A plane that rays meet
   at a sine below EDGE_ON (taken at the centre), or whose unit square is smaller than AREA_MIN_PX2, is met
   nowhere.
2. Low-pass filter (equation 11). A surfel is also seen as a round spot of √½ px standard deviation about its
   projected centre. The larger of the two densities is taken, and the plane's where they agree; the spot lies
   at the centre's depth.
3. Blending is that of `splat`: front to back by the depth of the centres, with the same ALPHA_MIN, ALPHA_MAX
   and TRANSMITTANCE_MIN, and only surfels whose centres lie between the near and far planes.
4. Depth is Σ w z. The median depth is the z of the last surfel that more than MEDIAN_TRANSMITTANCE of the
   light reaches, 0 where there is none. The normal is Σ w n with n turned towards the camera.
5. Distortion is Σ w_i w_j (m_i - m_j)² over all pairs, with the paper's mapped depth
   m = far / (far - near) (1 - near / z) from DISTORTION_NEAR to DISTORTION_FAR: what its appendix A gives for
   equation 13, because meetings are not ordered by depth, and Σ w_i w_j |m_i - m_j| needs that for one pass.

Source: Huang et al. 2024, 2D Gaussian Splatting for Geometrically Accurate Radiance Fields
(arXiv 2403.17888).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops._views import each
from distill3d.ops.splat_reference import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN
from distill3d.rotation import matrix_from_wxyz

EDGE_ON = 1e-3
AREA_MIN_PX2 = 1e-8
CROSSING = 0.9
"""A disc that comes nearer to the camera by more than this share of its centre's depth is not bounded."""
MEDIAN_TRANSMITTANCE = 0.5
DISTORTION_NEAR, DISTORTION_FAR = 0.2, 1000.0
MAPPED = DISTORTION_FAR * DISTORTION_NEAR / (DISTORTION_FAR - DISTORTION_NEAR)
"""Mapped depths of two points differ by this times the difference of their -1 / z."""
SURFELS_AT_ONCE = 64


@dataclass(frozen=True)
class Planes:
    """Surfels in one picture; d = J (u, v) / (1 + k·(u, v)) is a point's offset from the centre in pixels."""

    centres_px: Float[Tensor, "N 2"]
    j: Float[Tensor, "N 2 2"]
    k: Float[Tensor, "N 2"]
    depth: Float[Tensor, N]
    normals: Float[Tensor, "N 3"]
    determinant: Float[Tensor, N]
    """Of J."""
    met: Bool[Tensor, N]

    def __getitem__(self, some: slice) -> Planes:
        values = (self.centres_px, self.j, self.k, self.depth, self.normals, self.determinant, self.met)
        return Planes(*[value[some] for value in values])


def project(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 2"],
    camera: Cameras,
    probe: Float[Tensor, "N 2"],
) -> Planes:
    """Where the planes lie in the picture; exact, and free of any linearisation."""
    world_to_camera = camera.world_to_camera.to(means)
    rotation, translation = world_to_camera[:3, :3], world_to_camera[:3, 3]
    fx, fy, cx, cy = camera.intrinsics.to(means).unbind()
    points = means @ rotation.T + translation
    x, y, depth = points.unbind(-1)
    tan_x, tan_y = x / depth, y / depth
    centres_px = torch.stack([fx * tan_x + cx, fy * tan_y + cy], -1) + probe

    turns = matrix_from_wxyz(wxyz)
    axes = rotation @ turns[..., :2] * scales[:, None]
    k = axes[:, 2] / depth[:, None]
    j = torch.stack(
        [
            fx * (axes[:, 0] / depth[:, None] - tan_x[:, None] * k),
            fy * (axes[:, 1] / depth[:, None] - tan_y[:, None] * k),
        ],
        -2,
    )
    height = (points * (turns[..., 2] @ rotation.T)).sum(-1)
    normals = torch.where(height[:, None] > 0, -turns[..., 2], turns[..., 2])
    determinant = fx * fy * scales.prod(-1) * height / depth**3
    met = (height.abs() > EDGE_ON * points.norm(dim=-1)) & (determinant.abs() > AREA_MIN_PX2)
    return Planes(centres_px, j, k, depth, normals, determinant, met)


def visible(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 2"],
    opacities: Float[Tensor, N],
    colours: Float[Tensor, "N C"],
    camera: Cameras,
    probe: Float[Tensor, "N 2"],
) -> tuple[Bool[Tensor, N], Float[Tensor, N]]:
    """Which surfels are drawn, and half the longest axis in pixels of the ellipse that bounds each (or 0).

    The ellipse holds the image of the disc of √(2 ln(255 opacity)) standard deviations and the spot of the
    low-pass filter. Where the disc comes nearer to the camera by more than CROSSING of its centre's depth,
    the bound is the picture.
    """
    planes = project(means, wxyz, scales, camera, probe)
    cutoff = torch.log(opacities / ALPHA_MIN)
    reach_squared = torch.where(planes.met, 2 * cutoff, 0)
    t = 1 - reach_squared * planes.k.square().sum(-1)
    bounded = t > 1 - CROSSING**2
    grown = reach_squared / t
    aside = (planes.j @ planes.k[..., None])[..., 0]
    outer = planes.j @ planes.j.mT + grown[:, None, None] * aside[:, :, None] * aside[:, None]
    identity = torch.eye(2, dtype=means.dtype, device=means.device)
    ellipse = grown[:, None, None] * outer + (cutoff / t)[:, None, None] * identity
    size_px = means.new_tensor([camera.width, camera.height])
    ellipse = torch.where(bounded[:, None, None], ellipse, (size_px / 2).square().sum() * identity)
    middle = torch.where(bounded[:, None], planes.centres_px - grown[:, None] * aside, size_px / 2)
    reach_px = ellipse.diagonal(dim1=-2, dim2=-1).sqrt()
    xx, xy, _, yy = ellipse.flatten(-2).unbind(-1)
    radius_px = ((xx + yy) / 2 + (((xx - yy) / 2) ** 2 + xy * xy).sqrt()).sqrt()

    inputs = torch.cat([means, wxyz, scales, opacities[:, None], colours], 1)
    in_picture = ((middle + reach_px > 0) & (middle - reach_px < size_px)).all(-1)
    in_depth = (planes.depth >= camera.near) & (planes.depth <= camera.far)
    regular = planes.determinant.isfinite() & planes.normals.isfinite().all(-1) & (cutoff > 0)
    drawn = inputs.isfinite().all(1) & in_depth & regular & in_picture
    return drawn, torch.where(drawn, radius_px, 0)


def meet(
    planes: Planes, pixels: Float[Tensor, "H W 2"], near: float
) -> tuple[Float[Tensor, "S H W"], Float[Tensor, "S H W"]]:
    """The density at each pixel, and the depth at which it lies."""
    offsets = pixels - planes.centres_px[:, None, None]
    j, dx, dy = planes.j[..., None, None], offsets[..., 0], offsets[..., 1]
    determinant = torch.where(planes.met, planes.determinant, 1)[:, None, None]
    s_u = (j[:, 1, 1] * dx - j[:, 0, 1] * dy) / determinant
    s_v = (j[:, 0, 0] * dy - j[:, 1, 0] * dx) / determinant
    k, depth = planes.k[..., None, None], planes.depth[:, None, None]
    ell = 1 - k[:, 0] * s_u - k[:, 1] * s_v
    in_front = planes.met[:, None, None] & (ell > 0) & (depth >= near * ell)
    ell = torch.where(in_front, ell, 1)
    plane = ((s_u / ell) ** 2 + (s_v / ell) ** 2) / 2
    spot = dx * dx + dy * dy
    meets = in_front & (plane <= spot)
    return torch.exp(-torch.where(meets, plane, spot)), torch.where(meets, depth / ell, depth)


def surfels_one(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 2"],
    opacities: Float[Tensor, N],
    colours: Float[Tensor, "N C"],
    camera: Cameras,
    probe: Float[Tensor, "N 2"],
) -> tuple[Tensor, ...]:
    """Colours, alpha, depth, median depth, normal, distortion and radii for one camera."""
    with torch.no_grad():
        drawn, radius_px = visible(means, wxyz, scales, opacities, colours, camera, probe)
        depth = project(means, wxyz, scales, camera, probe).depth
        front_to_back = drawn.nonzero()[:, 0]
        front_to_back = front_to_back[depth[front_to_back].argsort(stable=True)]
    means, wxyz, scales, opacities, colours, probe = (
        values[front_to_back] for values in (means, wxyz, scales, opacities, colours, probe)
    )
    planes = project(means, wxyz, scales, camera, probe)
    values = torch.cat([colours, planes.normals], 1)

    columns = torch.arange(camera.width, dtype=means.dtype, device=means.device) + 0.5
    rows = torch.arange(camera.height, dtype=means.dtype, device=means.device) + 0.5
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    transmittance = means.new_ones(camera.height, camera.width)
    image = means.new_zeros(camera.height, camera.width, values.shape[1])
    median, sums = torch.zeros_like(transmittance), means.new_zeros(3, camera.height, camera.width)
    for first in range(0, len(means), SURFELS_AT_ONCE):
        some = slice(first, first + SURFELS_AT_ONCE)
        density, z = meet(planes[some], pixels, camera.near)
        alpha = (opacities[some, None, None] * density).clamp(max=ALPHA_MAX)
        alpha = torch.where(alpha >= ALPHA_MIN, alpha, 0)
        before = torch.cat([transmittance[None], transmittance * torch.cumprod(1 - alpha, 0)[:-1]])
        alpha = torch.where(before > TRANSMITTANCE_MIN, alpha, 0)
        weight = alpha * before
        image = image + torch.einsum("nhw,nc->hwc", weight, values[some])
        # Less that of the nearest centre, which all pairs share: in float32 the squares cancel otherwise.
        mapped = MAPPED * (1 / planes.depth[0].detach() - 1 / z)
        sums = sums + torch.stack([(weight * v).sum(0) for v in (z, mapped, mapped * mapped)])
        for candidate, takes in zip(z, (alpha > 0) & (before > MEDIAN_TRANSMITTANCE), strict=True):
            median = torch.where(takes, candidate, median)
        transmittance = transmittance * torch.prod(1 - alpha, 0)
    alpha, (depth, m, mm) = 1 - transmittance, sums
    planes_of_pixels = [values[..., None] for values in (alpha, depth, median)]
    distortion = (alpha * mm - m * m)[..., None]
    return image[..., :-3], *planes_of_pixels, image[..., -3:], distortion, radius_px


def surfels(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 2"],
    opacities: Float[Tensor, N],
    colours: Float[Tensor, "N C"] | Float[Tensor, "*B N C"],
    cameras: Cameras,
    probe: Float[Tensor, "*B N 2"] | None,
) -> tuple[Tensor, ...]:
    """What `surfels_one` gives, for every camera, one after the other."""
    views = cameras.shape.numel()
    probe = means.new_zeros(views, len(means), 2) if probe is None else probe.reshape(views, len(means), 2)
    shared = colours.ndim == 2
    by_view = [colours] * views if shared else colours.reshape(views, *colours.shape[-2:])
    pictures = [
        surfels_one(means, wxyz, scales, opacities, *of_view)
        for of_view in zip(by_view, each(cameras), probe, strict=True)
    ]
    return tuple(
        torch.stack(parts).reshape(*cameras.shape, *parts[0].shape) for parts in zip(*pictures, strict=True)
    )
