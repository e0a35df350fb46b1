"""`surfels` on gsplat 1.5.3 (arXiv 2409.06765), for tensors on a CUDA device.

What differs from our definition: `depth` and `median_depth` are of the surfels' centres, not of where rays
meet them; `distortion` is Σ w_i w_j |z_i - z_j| of those, over all pairs; the surfel that would leave less
than 1e-4 of a pixel's light is not drawn; `radius_px` is a bound in whole pixels; a number that is not finite
spoils what it meets. `probe` is not added to anything; its gradient is what gsplat offers for densification.
Cameras' matrices get a gradient, intrinsics none.
"""

from __future__ import annotations

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops._splat_gsplat import (
    CHANNELS_AT_ONCE,
    TILE_PX,
    colours_by_view,
    largest_radius,
    matrices,
    tiles,
)


def surfels(
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    cameras: Cameras,
    probe: Tensor | None,
) -> tuple[Tensor, ...]:
    """What `surfels_reference.surfels` gives, with its arguments."""
    from gsplat import fully_fused_projection_2dgs  # pyright: ignore[reportMissingImports]

    views, count = cameras.shape.numel(), len(means)
    world_to_camera, intrinsics = matrices(cameras)
    radii, centres_px, depths, ray_transforms, normals = fully_fused_projection_2dgs(
        means,
        wxyz,
        torch.cat([scales, torch.ones_like(scales[:, :1])], -1),
        world_to_camera,
        intrinsics,
        cameras.width,
        cameras.height,
        near_plane=cameras.near,
        far_plane=cameras.far,
    )
    densify = torch.zeros_like(centres_px) if probe is None else probe.reshape(views, count, 2)
    image, alpha, depth, normal, distortion, median_depth = _rasterize(
        centres_px,
        ray_transforms,
        colours_by_view(colours, views),
        opacities.expand(views, count).contiguous(),
        normals,
        densify,
        radii,
        depths,
        cameras,
    )
    normal = torch.einsum("vji,vhwj->vhwi", world_to_camera[:, :3, :3], normal)
    images = (image, alpha, depth, median_depth, normal, distortion)
    shape = (*cameras.shape, cameras.height, cameras.width)
    return (
        *[values.reshape(*shape, values.shape[-1]) for values in images],
        largest_radius(radii).reshape(*cameras.shape, count),
    )


def _rasterize(
    centres_px: Tensor,
    ray_transforms: Tensor,
    colours: Tensor,
    opacities: Tensor,
    normals: Tensor,
    densify: Tensor,
    radii: Tensor,
    depths: Tensor,
    cameras: Cameras,
) -> tuple[Tensor, ...]:
    """Colours, alpha, depth, normal, distortion and median depth, some channels after the others.

    Depth is the last channel of each pass, as gsplat wants it; all but the first pass give colours only.
    """
    from gsplat import rasterize_to_pixels_2dgs  # pyright: ignore[reportMissingImports]

    offsets, ids = tiles(centres_px, radii, depths, cameras)
    size = (cameras.width, cameras.height, TILE_PX)
    passes = []
    for some in colours.split(CHANNELS_AT_ONCE - 1, -1):
        values = torch.cat([some, depths[..., None]], -1)
        given = (centres_px, ray_transforms, values, opacities, normals, densify)
        passes.append(rasterize_to_pixels_2dgs(*given, *size, offsets, ids, distloss=True))
    image, alpha, normal, distortion, median_depth = passes[0]
    colours_drawn = torch.cat([drawn[0][..., :-1] for drawn in passes], -1)
    return colours_drawn, alpha, image[..., -1:], normal, distortion, median_depth
