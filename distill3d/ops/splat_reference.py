"""The definition of `splat` in plain torch: dense, differentiable by autograd in any float type.

Every constant and rule of Gaussian splatting that the kernels follow is written here, in the same words
as in cuda/include/d3d/project.h and splat.h.

Source: Kerbl et al. 2023, 3D Gaussian Splatting (arXiv 2308.04079), sections 4 and 6;
Zwicker et al. 2001, EWA Volume Splatting.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops._views import each
from distill3d.rotation import matrix_from_wxyz

ALPHA_MAX = 0.999
ALPHA_MIN = 1 / 255
TRANSMITTANCE_MIN = 1e-4
JACOBIAN_MARGIN = 0.3
"""How far outside the picture, in half pictures, the projection's Jacobian still follows the centre."""
SPLATS_AT_ONCE = 64


def project(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    camera: Cameras,
    blur_px: float,
) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N 3"], Float[Tensor, N]]:
    """Centres in pixels, 2-D covariances (xx, xy, yy) in px², and camera depths.

    The perspective map is linearised at each centre, and for a centre far outside the picture at the nearest
    direction within the picture widened by JACOBIAN_MARGIN on each side; gradients are exact for that choice.
    """
    world_to_camera = camera.world_to_camera.to(means)
    rotation, translation = world_to_camera[:3, :3], world_to_camera[:3, 3]
    fx, fy, cx, cy = camera.intrinsics.to(means).unbind()
    x, y, depth = (means @ rotation.T + translation).unbind(-1)
    tan_x, tan_y = x / depth, y / depth
    centres_px = torch.stack([fx * tan_x + cx, fy * tan_y + cy], -1)

    margin_x, margin_y = JACOBIAN_MARGIN * camera.width / 2, JACOBIAN_MARGIN * camera.height / 2
    tan_x = tan_x.clamp(-(cx + margin_x) / fx, (camera.width - cx + margin_x) / fx)
    tan_y = tan_y.clamp(-(cy + margin_y) / fy, (camera.height - cy + margin_y) / fy)
    jacobian_x = (fx / depth)[:, None] * (rotation[0] - tan_x[:, None] * rotation[2])
    jacobian_y = (fy / depth)[:, None] * (rotation[1] - tan_y[:, None] * rotation[2])
    axes = torch.stack([jacobian_x, jacobian_y], -2) @ matrix_from_wxyz(wxyz) * scales[:, None, :]
    xx, xy, _, yy = (axes @ axes.mT).flatten(-2).unbind(-1)
    return centres_px, torch.stack([xx + blur_px, xy, yy + blur_px], -1), depth


def visible(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, N],
    colours: Float[Tensor, "N C"],
    camera: Cameras,
    probe: Float[Tensor, "N 2"],
    blur_px: float,
) -> tuple[Bool[Tensor, N], Float[Tensor, N]]:
    """Which splats are drawn, and the radius in pixels beyond which each is below ALPHA_MIN (0 if not drawn).

    Drawn are splats that are finite in every input, between the near and the far plane, not degenerate in the
    picture, opaque enough to be seen, and whose box of visibility meets the picture.
    """
    inputs = torch.cat([means, wxyz, scales, opacities[:, None], colours], 1)
    centres_px, covariances, depth = project(means, wxyz, scales, camera, blur_px)
    centres_px = centres_px + probe
    xx, xy, yy = covariances.unbind(-1)
    determinant = xx * yy - xy * xy
    cutoff = torch.log(opacities / ALPHA_MIN)
    reach_x, reach_y = (2 * cutoff * xx).sqrt(), (2 * cutoff * yy).sqrt()
    in_picture = (
        (centres_px[:, 0] + reach_x > 0)
        & (centres_px[:, 0] - reach_x < camera.width)
        & (centres_px[:, 1] + reach_y > 0)
        & (centres_px[:, 1] - reach_y < camera.height)
    )
    in_depth = (depth >= camera.near) & (depth <= camera.far)
    regular = (determinant > 0) & determinant.isfinite() & (cutoff > 0)
    drawn = inputs.isfinite().all(1) & in_depth & regular & in_picture
    largest_variance = (xx + yy) / 2 + (((xx - yy) / 2) ** 2 + xy * xy).sqrt()
    radius_px = (2 * cutoff * largest_variance).sqrt()
    return drawn, torch.where(drawn, radius_px, 0)


def falloff(offsets_px: Float[Tensor, "*S 2"], covariances: Float[Tensor, "*S 3"]) -> Float[Tensor, "*S"]:
    """exp(-½ dᵀ Σ⁻¹ d)."""
    dx, dy = offsets_px.unbind(-1)
    xx, xy, yy = covariances.unbind(-1)
    return torch.exp(-0.5 * (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy))


def splat_one(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, N],
    colours: Float[Tensor, "N C"],
    camera: Cameras,
    probe: Float[Tensor, "N 2"],
    blur_px: float,
) -> tuple[Float[Tensor, "H W C"], Float[Tensor, "H W 1"], Float[Tensor, "H W 1"], Float[Tensor, N]]:
    """Colours, alpha, depth and radii for one camera; see `distill3d.ops.splat.splat`."""
    with torch.no_grad():
        drawn, radius_px = visible(means, wxyz, scales, opacities, colours, camera, probe, blur_px)
        _, _, depth = project(means, wxyz, scales, camera, blur_px)
        front_to_back = drawn.nonzero()[:, 0]
        front_to_back = front_to_back[depth[front_to_back].argsort(stable=True)]
    means, wxyz, scales, opacities, colours, probe = (
        values[front_to_back] for values in (means, wxyz, scales, opacities, colours, probe)
    )
    centres_px, covariances, depth = project(means, wxyz, scales, camera, blur_px)
    centres_px = centres_px + probe
    values = torch.cat([colours, depth[:, None]], 1)

    pixels = torch.stack(
        torch.meshgrid(
            torch.arange(camera.width, dtype=means.dtype, device=means.device) + 0.5,
            torch.arange(camera.height, dtype=means.dtype, device=means.device) + 0.5,
            indexing="xy",
        ),
        -1,
    )
    transmittance = means.new_ones(camera.height, camera.width)
    image = means.new_zeros(camera.height, camera.width, values.shape[1])
    for first in range(0, len(means), SPLATS_AT_ONCE):
        some = slice(first, first + SPLATS_AT_ONCE)
        offsets_px = pixels - centres_px[some, None, None]
        shape = falloff(offsets_px, covariances[some, None, None].expand(*offsets_px.shape[:-1], 3))
        alpha = (opacities[some, None, None] * shape).clamp(max=ALPHA_MAX)
        alpha = torch.where(alpha >= ALPHA_MIN, alpha, 0)
        behind = transmittance * torch.cumprod(1 - alpha, 0)
        before = torch.cat([transmittance[None], behind[:-1]])
        alpha = torch.where(before > TRANSMITTANCE_MIN, alpha, 0)
        image = image + torch.einsum("nhw,nhw,nc->hwc", alpha, before, values[some])
        transmittance = transmittance * torch.prod(1 - alpha, 0)
    return image[..., :-1], 1 - transmittance[..., None], image[..., -1:], radius_px


def splat(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, N],
    colours: Float[Tensor, "N C"],
    cameras: Cameras,
    probe: Float[Tensor, "*B N 2"] | None,
    blur_px: float,
) -> tuple[
    Float[Tensor, "*B H W C"], Float[Tensor, "*B H W 1"], Float[Tensor, "*B H W 1"], Float[Tensor, "*B N"]
]:
    """Colours, alpha, depth and radii for every camera, one after the other."""
    views = cameras.shape.numel()
    probe = means.new_zeros(views, len(means), 2) if probe is None else probe.reshape(views, len(means), 2)
    pictures = [
        splat_one(means, wxyz, scales, opacities, colours, camera, view_probe, blur_px)
        for camera, view_probe in zip(each(cameras), probe, strict=True)
    ]
    return tuple(
        torch.stack(parts).reshape(*cameras.shape, *parts[0].shape) for parts in zip(*pictures, strict=True)
    )  # type: ignore[return-value]
