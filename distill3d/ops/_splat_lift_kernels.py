"""`lift`, `weigh` and `contributors` on the compiled kernels: two torch operators without gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _library as c
from distill3d.ops import _splat_abi as abi


def weigh(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    cameras: Cameras,
    maps: Tensor,
    blur_px: float,
    antialiased: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Σ w map, Σ w, the greatest w and pixels, as `splat_lift_reference.weigh` has them."""
    size = (cameras.width, cameras.height, cameras.near, cameras.far)
    return _weigh(
        library, means, wxyz, scales, opacities, maps, *c.flat(cameras), *size, blur_px, antialiased
    )


def contributors(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    cameras: Cameras,
    most: int,
    blur_px: float,
    antialiased: bool,
) -> tuple[Tensor, Tensor]:
    """Ids and weights, as `splat_lift_reference.contributors` has them."""
    size = (cameras.width, cameras.height, cameras.near, cameras.far)
    return _contributors(
        library, means, wxyz, scales, opacities, *c.flat(cameras), *size, blur_px, antialiased, most
    )


def _bins(
    library: str,
    shape: list[Tensor],
    cameras: c.CCameras,
    launch: c.CLaunch,
    blur_px: float,
    antialiased: bool,
) -> abi.Bins:
    shape = [values.contiguous() for values in shape]
    nothing = shape[0].new_empty(len(shape[0]), 0)
    gaussians = abi.c_gaussians(shape, None, blur_px, antialiased)
    return abi.bins(library, cameras, launch, gaussians, abi.c_values(None, nothing, False), shape[0])


@torch.library.custom_op(
    "distill3d::splat_weigh",
    mutates_args=(),
    schema="(str library, Tensor means, Tensor wxyz, Tensor scales, Tensor opacities, Tensor maps, "
    "Tensor world_to_camera, Tensor intrinsics, int width, int height, float near, float far, float blur_px, "
    "bool antialiased) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _weigh(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    maps: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    near: float,
    far: float,
    blur_px: float,
    antialiased: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    kernels, launch = c.library(library), c.launch(means.device)
    cameras = c.c_cameras(world_to_camera, intrinsics, width, height, near, far)
    bins = _bins(library, [means, wxyz, scales, opacities], cameras, launch, blur_px, antialiased)
    maps = maps.contiguous()
    views, count, channels = len(intrinsics), len(means), maps.shape[-1]
    sums, weight, peak = (
        means.new_empty(size) for size in ((count, channels), (views, count), (views, count))
    )
    pixels = torch.empty(views, count, dtype=torch.int32, device=means.device)
    scratch = c.workspace(kernels.d3d_splat_weigh_bytes(channels, len(bins.pairs), launch), means.device)
    c.check(
        kernels.d3d_splat_weigh(
            cameras,
            count,
            bins.c_footprints(),
            bins.c_pairs(),
            channels,
            maps.data_ptr(),
            abi.CSplatWeights(*map(abi.pointer, (sums, weight, peak, pixels))),
            scratch.data_ptr(),
            launch,
        )
    )
    return sums, weight, peak, pixels


@_weigh.register_fake
def _(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    maps: Tensor,
    world_to_camera: Tensor,
    *settings: object,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    views, count = len(world_to_camera), len(means)
    weight, peak = means.new_empty(views, count), means.new_empty(views, count)
    pixels = means.new_empty(views, count, dtype=torch.int32)
    return means.new_empty(count, maps.shape[-1]), weight, peak, pixels


@torch.library.custom_op(
    "distill3d::splat_contributors",
    mutates_args=(),
    schema="(str library, Tensor means, Tensor wxyz, Tensor scales, Tensor opacities, "
    "Tensor world_to_camera, Tensor intrinsics, int width, int height, float near, float far, float blur_px, "
    "bool antialiased, int most) -> (Tensor, Tensor)",
)
def _contributors(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    near: float,
    far: float,
    blur_px: float,
    antialiased: bool,
    most: int,
) -> tuple[Tensor, Tensor]:
    kernels, launch = c.library(library), c.launch(means.device)
    cameras = c.c_cameras(world_to_camera, intrinsics, width, height, near, far)
    bins = _bins(library, [means, wxyz, scales, opacities], cameras, launch, blur_px, antialiased)
    weights = means.new_empty(len(intrinsics), height, width, most)
    ids = torch.empty(weights.shape, dtype=torch.int32, device=means.device)
    c.check(
        kernels.d3d_splat_contributors(
            cameras,
            len(means),
            bins.c_footprints(),
            bins.c_pairs(),
            most,
            ids.data_ptr(),
            weights.data_ptr(),
            launch,
        )
    )
    return ids, weights


@_contributors.register_fake
def _(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    near: float,
    far: float,
    blur_px: float,
    antialiased: bool,
    most: int,
) -> tuple[Tensor, Tensor]:
    weights = means.new_empty(len(intrinsics), height, width, most)
    return torch.empty_like(weights, dtype=torch.int32), weights
