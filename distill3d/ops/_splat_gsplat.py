"""`splat` on gsplat 1.5.3 (arXiv 2409.06765), for tensors on a CUDA device.

What differs from our definition: the splat that would leave less than 1e-4 of a pixel's light is not drawn;
`radius_px` is a bound in whole pixels; a number that is not finite spoils what it meets; there is no
`absolute_probe`. Cameras' matrices get a gradient, intrinsics none.
"""

from __future__ import annotations

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import splat_reference
from distill3d.ops._views import each

TILE_PX = 16
CHANNELS_AT_ONCE = 32
"""As many as gsplat's own `rasterization` draws in one pass."""


def splat(
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    cameras: Cameras,
    probe: Tensor | None,
    blur_px: float,
    *,
    absolute_probe: Tensor | None = None,
    sh: Tensor | None = None,
    normals: bool = False,
    antialiased: bool = False,
) -> tuple[Tensor, ...]:
    """Colours, alpha, depth, radii, radiance and normal; arguments as of `splat_reference.splat`."""
    from gsplat import fully_fused_projection  # pyright: ignore[reportMissingImports]

    if absolute_probe is not None:
        raise ValueError('gsplat has no absolute_probe; leave it out, or run inside use("cuda")')
    views, count = cameras.shape.numel(), len(means)
    world_to_camera, intrinsics = matrices(cameras)
    radii, centres_px, depths, conics, compensations = fully_fused_projection(
        means,
        None,
        wxyz,
        scales,
        world_to_camera,
        intrinsics,
        cameras.width,
        cameras.height,
        eps2d=blur_px,
        near_plane=cameras.near,
        far_plane=cameras.far,
        calc_compensations=antialiased,
        opacities=opacities,
    )
    if probe is not None:
        centres_px = centres_px + probe.reshape(views, count, 2)
    seen = opacities.expand(views, count)
    seen = seen * compensations if antialiased else seen.contiguous()

    rows = [colours_by_view(colours, views), depths[..., None]]
    if sh is not None:
        rows.append(
            torch.stack([splat_reference.radiance_seen(sh, means, camera) for camera in each(cameras)])
        )
    if normals:
        facing = [splat_reference.normals_seen(means, wxyz, scales, camera) for camera in each(cameras)]
        rows.append(torch.stack(facing))
    image, alpha = _rasterize(centres_px, conics, torch.cat(rows, -1), seen, radii, depths, cameras)

    shape = (*cameras.shape, cameras.height, cameras.width)
    parts = image.reshape(*shape, -1).split([row.shape[-1] for row in rows], -1)
    nothing = parts[0][..., :0]
    return (
        parts[0],
        alpha.reshape(*shape, 1),
        parts[1],
        largest_radius(radii).reshape(*cameras.shape, count),
        nothing if sh is None else parts[2],
        parts[-1] if normals else nothing,
    )


def _rasterize(
    centres_px: Tensor,
    conics: Tensor,
    values: Tensor,
    opacities: Tensor,
    radii: Tensor,
    depths: Tensor,
    cameras: Cameras,
) -> tuple[Tensor, Tensor]:
    """Σ w value [V, H, W, C] and alpha [V, H, W, 1], some channels after the others."""
    from gsplat import rasterize_to_pixels  # pyright: ignore[reportMissingImports]

    offsets, ids = tiles(centres_px, radii, depths, cameras)
    size = (cameras.width, cameras.height, TILE_PX)
    drawn = [
        rasterize_to_pixels(centres_px, conics, some.contiguous(), opacities, *size, offsets, ids)
        for some in values.split(CHANNELS_AT_ONCE, -1)
    ]
    return torch.cat([image for image, _ in drawn], -1), drawn[0][1]


def matrices(cameras: Cameras) -> tuple[Tensor, Tensor]:
    """World to camera [V, 4, 4] and K [V, 3, 3], as gsplat takes them.

    Raises ValueError for intrinsics that want a gradient, which gsplat does not give.
    """
    if cameras.intrinsics.requires_grad:
        raise ValueError(
            "gsplat gives no gradient to intrinsics and was given some that require one; detach them, "
            'or run inside use("reference")'
        )
    fx, fy, cx, cy = cameras.intrinsics.reshape(-1, 4).unbind(-1)
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [fx, zero, cx, zero, fy, cy, zero, zero, one]
    return cameras.world_to_camera.reshape(-1, 4, 4), torch.stack(rows, -1).reshape(-1, 3, 3)


def tiles(centres_px: Tensor, radii: Tensor, depths: Tensor, cameras: Cameras) -> tuple[Tensor, Tensor]:
    """Where each tile's splats begin [V, rows, columns], and the splats, front to back."""
    from gsplat import isect_offset_encode, isect_tiles  # pyright: ignore[reportMissingImports]

    columns, rows = -(-cameras.width // TILE_PX), -(-cameras.height // TILE_PX)
    views = len(centres_px)
    _, keys, ids = isect_tiles(centres_px, radii, depths, TILE_PX, columns, rows, n_images=views)
    return isect_offset_encode(keys, views, columns, rows), ids


def colours_by_view(colours: Tensor, views: int) -> Tensor:
    """[N, C], or [*B, N, C] of which batch axes may be 1, as [V, N, C]."""
    if colours.ndim == 2:
        return colours.expand(views, *colours.shape)
    return colours.reshape(-1, *colours.shape[-2:]).expand(views, -1, -1)


def largest_radius(radii: Tensor) -> Tensor:
    """[V, N] of gsplat's radii along both axes."""
    return radii.amax(-1).to(torch.float32)
