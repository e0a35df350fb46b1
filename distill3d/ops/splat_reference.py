"""The definition of `splat` in plain torch: dense, differentiable by autograd in any float type.

Every constant and rule of Gaussian splatting that the kernels follow is written here, in the same words
as in cuda/include/d3d/project.h, facing.h and splat.h.

Source: Kerbl et al. 2023, 3D Gaussian Splatting (arXiv 2308.04079), sections 4 and 6;
Zwicker et al. 2001, EWA Volume Splatting; Yu et al. 2024, Mip-Splatting (arXiv 2311.16493), section 4.2, for
antialiasing; Ye et al. 2024, AbsGS (arXiv 2404.10484), equation 6, for absolute gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from distill3d import sh as spherical
from distill3d.camera import Cameras
from distill3d.ops._views import each, of_each
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
) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N 3"], Float[Tensor, "N"]]:
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


def determinant(covariances: Float[Tensor, "*S 3"]) -> Float[Tensor, "*S"]:
    xx, xy, yy = covariances.unbind(-1)
    return xx * yy - xy * xy


def blur_loss(covariances: Float[Tensor, "N 3"], blur_px: float) -> Float[Tensor, "N"]:
    """What opacity is multiplied by so that a footprint's total does not grow with the blur."""
    sharp = covariances - covariances.new_tensor([blur_px, 0, blur_px])
    return (determinant(sharp) / determinant(covariances)).clamp_min(0).sqrt()


def radiance_seen(
    sh: Float[Tensor, "N K 3"], means: Float[Tensor, "N 3"], camera: Cameras
) -> Float[Tensor, "N 3"]:
    """Colours as one camera sees them."""
    offsets = means - camera.centres.to(means)
    return spherical.radiance(sh, offsets / offsets.norm(dim=-1, keepdim=True))


def normals_seen(
    means: Float[Tensor, "N 3"], wxyz: Float[Tensor, "N 4"], scales: Float[Tensor, "N 3"], camera: Cameras
) -> Float[Tensor, "N 3"]:
    """The shortest axis in the world, the first of several, turned towards the camera."""
    shortest = torch.where(
        (scales[:, 0] <= scales[:, 1]) & (scales[:, 0] <= scales[:, 2]),
        0,
        torch.where(scales[:, 1] <= scales[:, 2], 1, 2),
    )
    axes = matrix_from_wxyz(wxyz).gather(2, shortest[:, None, None].expand(-1, 3, 1))[..., 0]
    away = (axes * (means - camera.centres.to(means))).sum(-1, keepdim=True) > 0
    return torch.where(away, -axes, axes)


def visible(
    inputs: Float[Tensor, "N F"],
    centres_px: Float[Tensor, "N 2"],
    covariances: Float[Tensor, "N 3"],
    depth: Float[Tensor, "N"],
    opacities: Float[Tensor, "N"],
    camera: Cameras,
) -> tuple[Bool[Tensor, "N"], Float[Tensor, "N"]]:
    """Which splats are drawn, and the radius in pixels beyond which each is below ALPHA_MIN (0 if not drawn).

    Drawn are splats that are finite in every input, between the near and the far plane, not degenerate in the
    picture, opaque enough to be seen, and whose box of visibility meets the picture.
    """
    xx, xy, yy = covariances.unbind(-1)
    area = determinant(covariances)
    cutoff = torch.log(opacities / ALPHA_MIN)
    reach_x, reach_y = (2 * cutoff * xx).sqrt(), (2 * cutoff * yy).sqrt()
    in_picture = (
        (centres_px[:, 0] + reach_x > 0)
        & (centres_px[:, 0] - reach_x < camera.width)
        & (centres_px[:, 1] + reach_y > 0)
        & (centres_px[:, 1] - reach_y < camera.height)
    )
    in_depth = (depth >= camera.near) & (depth <= camera.far)
    regular = (area > 0) & area.isfinite() & (cutoff > 0)
    drawn = inputs.isfinite().all(1) & in_depth & regular & in_picture
    largest_variance = (xx + yy) / 2 + (((xx - yy) / 2) ** 2 + xy * xy).sqrt()
    radius_px = (2 * cutoff * largest_variance).sqrt()
    return drawn, torch.where(drawn, radius_px, 0)


@dataclass(frozen=True)
class Footprints:
    """The splats that one camera sees, front to back."""

    ids: Int[Tensor, "S"]
    centres_px: Float[Tensor, "S 2"]
    covariances: Float[Tensor, "S 3"]
    opacities: Float[Tensor, "S"]
    depth: Float[Tensor, "S"]
    radius_px: Float[Tensor, "N"]
    """Of all splats; 0 for those that are not drawn."""


def footprints(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    values: Float[Tensor, "N F"],
    camera: Cameras,
    probe: Float[Tensor, "N 2"],
    blur_px: float,
    antialiased: bool,
) -> Footprints:
    """`values` are what is drawn of each splat; one that is not finite is not drawn."""

    def in_picture(*shape: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        means, wxyz, scales, opacities, probe = shape
        centres_px, covariances, depth = project(means, wxyz, scales, camera, blur_px)
        seen = opacities * blur_loss(covariances, blur_px) if antialiased else opacities
        return centres_px + probe, covariances, depth, seen

    shape = (means, wxyz, scales, opacities, probe)
    with torch.no_grad():
        inputs = torch.cat([means, wxyz, scales, opacities[:, None], values], 1)
        centres_px, covariances, depth, seen = in_picture(*shape)
        drawn, radius_px = visible(inputs, centres_px, covariances, depth, seen, camera)
        ids = drawn.nonzero()[:, 0]
        ids = ids[depth[ids].argsort(stable=True)]
    centres_px, covariances, depth, seen = in_picture(*[part[ids] for part in shape])
    return Footprints(ids, centres_px, covariances, seen, depth, radius_px)


class _Offsets(torch.autograd.Function):
    """Pixels less centres; `absolute` gets the sum over pixels of the absolute derivative by the centre."""

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, centres_px: Tensor, absolute: Tensor) -> Tensor:
        return pixels - centres_px[:, None, None]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, by_offsets: Tensor) -> tuple[None, Tensor, Tensor]:
        return None, -by_offsets.sum((1, 2)), by_offsets.abs().sum((1, 2))


def falloff(offsets_px: Float[Tensor, "*S 2"], covariances: Float[Tensor, "*S 3"]) -> Float[Tensor, "*S"]:
    """exp(-½ dᵀ Σ⁻¹ d)."""
    dx, dy = offsets_px.unbind(-1)
    xx, xy, yy = covariances.unbind(-1)
    return torch.exp(-0.5 * (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy))


def blend(
    splats: Footprints, camera: Cameras, absolute: Float[Tensor, "S 2"]
) -> Iterator[tuple[Float[Tensor, "P H W"], Float[Tensor, "H W"]]]:
    """Weights of SPLATS_AT_ONCE splats in each pixel, and the transmittance behind them, front to back."""
    like = splats.centres_px
    columns = torch.arange(camera.width, dtype=like.dtype, device=like.device) + 0.5
    rows = torch.arange(camera.height, dtype=like.dtype, device=like.device) + 0.5
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    transmittance = like.new_ones(camera.height, camera.width)
    for first in range(0, len(splats.ids), SPLATS_AT_ONCE):
        some = slice(first, first + SPLATS_AT_ONCE)
        offsets_px: Tensor = _Offsets.apply(pixels, splats.centres_px[some], absolute[some])  # type: ignore[assignment]
        shape = falloff(offsets_px, splats.covariances[some, None, None].expand(*offsets_px.shape[:-1], 3))
        alpha = (splats.opacities[some, None, None] * shape).clamp(max=ALPHA_MAX)
        alpha = torch.where(alpha >= ALPHA_MIN, alpha, 0)
        behind = transmittance * torch.cumprod(1 - alpha, 0)
        before = torch.cat([transmittance[None], behind[:-1]])
        alpha = torch.where(before > TRANSMITTANCE_MIN, alpha, 0)
        transmittance = transmittance * torch.prod(1 - alpha, 0)
        yield alpha * before, transmittance


def splat_one(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    colours: Float[Tensor, "N C"],
    camera: Cameras,
    probe: Float[Tensor, "N 2"],
    blur_px: float,
    *,
    absolute_probe: Float[Tensor, "N 2"],
    sh: Float[Tensor, "N K 3"] | None,
    normals: bool,
    antialiased: bool,
) -> list[Tensor]:
    """Colours, alpha, depth, radii, radiance and normal for one camera; see `distill3d.ops.splat.splat`."""
    values = colours if sh is None else torch.cat([colours, sh.flatten(1)], 1)
    splats = footprints(means, wxyz, scales, opacities, values, camera, probe, blur_px, antialiased)
    ids, channels = splats.ids, colours.shape[1]
    rows = [colours[ids], splats.depth[:, None]]
    if sh is not None:
        rows.append(radiance_seen(sh[ids], means[ids], camera))
    if normals:
        rows.append(normals_seen(means[ids], wxyz[ids], scales[ids], camera))
    values = torch.cat(rows, 1)
    image = means.new_zeros(camera.height, camera.width, values.shape[1])
    transmittance = means.new_ones(camera.height, camera.width)
    for i, (weights, behind) in enumerate(blend(splats, camera, absolute_probe[ids])):
        some = values[i * SPLATS_AT_ONCE : (i + 1) * SPLATS_AT_ONCE]
        image = image + torch.einsum("nhw,nc->hwc", weights, some)
        transmittance = behind
    nothing = image[..., :0]
    return [
        image[..., :channels],
        1 - transmittance[..., None],
        image[..., channels : channels + 1],
        splats.radius_px,
        nothing if sh is None else image[..., channels + 1 : channels + 4],
        image[..., -3:] if normals else nothing,
    ]


def splat(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    colours: Float[Tensor, "*#B N C"],
    cameras: Cameras,
    probe: Float[Tensor, "*B N 2"] | None,
    blur_px: float,
    *,
    absolute_probe: Float[Tensor, "*B N 2"] | None = None,
    sh: Float[Tensor, "N K 3"] | None = None,
    normals: bool = False,
    antialiased: bool = False,
) -> tuple[Tensor, ...]:
    """Colours, alpha, depth and radii for every camera, one after the other; then radiance and normal, which
    have no channels where there are none.
    """
    pictures = [
        splat_one(
            means,
            wxyz,
            scales,
            opacities,
            view_colours,
            camera,
            view_probe,
            blur_px,
            absolute_probe=view_absolute,
            sh=sh,
            normals=normals,
            antialiased=antialiased,
        )
        for camera, view_colours, view_probe, view_absolute in zip(
            each(cameras),
            of_each(colours, cameras),
            of_each(means.new_zeros(len(means), 2) if probe is None else probe, cameras),
            of_each(means.new_zeros(len(means), 2) if absolute_probe is None else absolute_probe, cameras),
            strict=True,
        )
    ]
    return tuple(
        torch.stack(parts).reshape(*cameras.shape, *parts[0].shape) for parts in zip(*pictures, strict=True)
    )
