"""`splat` on the compiled kernels: two torch operators and their ties to autograd."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_float, c_int32, c_int64, c_void_p

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _library as c


class CGaussians(Structure):
    _fields_ = [
        ("count", c_int64),
        ("channels", c_int32),
        ("blur", c_float),
        *[(name, c_void_p) for name in ("means", "wxyz", "scales", "opacities", "colours", "probe")],
    ]


class CFootprints(Structure):
    _fields_ = [(name, c_void_p) for name in ("splats", "radius_px", "first_slot")]


class CPairs(Structure):
    _fields_ = [("count", c_int64), ("tile_start", c_void_p), ("pairs", c_void_p)]


class CSplatImages(Structure):
    _fields_ = [(name, c_void_p) for name in ("colours", "alpha", "depth", "transmittance", "last")]


class CSplatImageGradients(Structure):
    _fields_ = [(name, c_void_p) for name in ("colours", "alpha", "depth")]


class CGaussianGradients(Structure):
    _fields_ = [(name, c_void_p) for name in ("means", "wxyz", "scales", "opacities", "colours", "probe")]


FOOTPRINT_FLOATS = 10

c.declare(
    {
        "d3d_splat_tile_px": [c_int32],
        "d3d_splat_histogram_bytes": [c_int64, c.CAMERAS, c_int64, c.LAUNCH],
        "d3d_splat_project": [
            c_int32,
            c.CAMERAS,
            POINTER(CGaussians),
            POINTER(CFootprints),
            c_void_p,
            POINTER(c_int64),
            c.LAUNCH,
        ],
        "d3d_splat_bin_bytes": [c_int64, c_int64],
        "d3d_splat_bin": [
            c_int32,
            c.CAMERAS,
            c_int64,
            POINTER(CFootprints),
            c_void_p,
            POINTER(CPairs),
            c_void_p,
            c.LAUNCH,
        ],
        "d3d_splat_render_bytes": [c_int64, c_int32, c.LAUNCH],
        "d3d_splat_render": [
            c_int32,
            c.CAMERAS,
            POINTER(CGaussians),
            POINTER(CFootprints),
            POINTER(CPairs),
            POINTER(CSplatImages),
            c_void_p,
            c.LAUNCH,
        ],
        "d3d_splat_gradient_bytes": [c_int64, c_int32, c_int64, c.LAUNCH],
        "d3d_splat_gradient": [
            c_int32,
            c.CAMERAS,
            POINTER(CGaussians),
            POINTER(CFootprints),
            POINTER(CPairs),
            POINTER(CSplatImages),
            POINTER(CSplatImageGradients),
            POINTER(CGaussianGradients),
            c_void_p,
            c.LAUNCH,
        ],
    }
)


def splat(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    cameras: Cameras,
    probe: Tensor | None,
    blur_px: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Colours, alpha, depth and radii; the other arguments are those of `distill3d.ops.splat.splat`."""
    if cameras.world_to_camera.requires_grad or cameras.intrinsics.requires_grad:
        raise ValueError(
            f"the {library} backend gives no gradient to cameras and was given cameras that require one; "
            'detach them, or run inside use("reference")'
        )
    world_to_camera, intrinsics = c.flat(cameras)
    if probe is not None:
        probe = probe.reshape(len(world_to_camera), len(means), 2)
    images = _draw(
        library,
        means,
        wxyz,
        scales,
        opacities,
        colours,
        probe,
        world_to_camera,
        intrinsics,
        cameras.width,
        cameras.height,
        cameras.near,
        cameras.far,
        blur_px,
    )
    colours, alpha, depth, radius_px = images[:4]
    shape = (*cameras.shape, cameras.height, cameras.width)
    return (
        colours.reshape(*shape, colours.shape[-1]),
        alpha.reshape(*shape, 1),
        depth.reshape(*shape, 1),
        radius_px.reshape(*cameras.shape, len(means)),
    )


def _gaussians(inputs: Sequence[Tensor], probe: Tensor | None, blur_px: float) -> CGaussians:
    """The C view of contiguous means, wxyz, scales, opacities, colours and probe, which must outlive it."""
    count, channels = inputs[-1].shape
    pointers = [values.data_ptr() for values in inputs]
    return CGaussians(count, channels, blur_px, *pointers, None if probe is None else probe.data_ptr())


@torch.library.custom_op(
    "distill3d::splat",
    mutates_args=(),
    schema="(str library, Tensor means, Tensor wxyz, Tensor scales, Tensor opacities, Tensor colours, "
    "Tensor? probe, "
    "Tensor world_to_camera, Tensor intrinsics, int width, int height, "
    "float near, float far, float blur_px) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _draw(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    probe: Tensor | None,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    near: float,
    far: float,
    blur_px: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Pictures and radii; then transmittance, last, splats, first_slot, tile_start and pairs."""
    inputs = [values.contiguous() for values in (means, wxyz, scales, opacities, colours)]
    probe = None if probe is None else probe.contiguous()
    views, (count, channels) = len(intrinsics), colours.shape
    kernels, launch = c.library(library), byref(c.launch(world_to_camera.device))
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    gaussians = byref(_gaussians(inputs, probe, blur_px))

    splats, radius_px = means.new_empty(views, count, FOOTPRINT_FLOATS), means.new_empty(views, count)
    first_slot = means.new_empty(views * count + 1, dtype=torch.int32)
    footprints = byref(CFootprints(splats.data_ptr(), radius_px.data_ptr(), first_slot.data_ptr()))
    histogram = c.workspace(kernels.d3d_splat_histogram_bytes(cameras, count, launch), world_to_camera.device)
    pair_count = c_int64()
    c.check(
        kernels.d3d_splat_project(
            cameras, gaussians, footprints, histogram.data_ptr(), byref(pair_count), launch
        )
    )

    tile_start = means.new_empty(_tile_starts(library, views, width, height), dtype=torch.int32)
    pair_table = means.new_empty(pair_count.value, 2, dtype=torch.int32)
    pairs = byref(CPairs(pair_count, tile_start.data_ptr(), pair_table.data_ptr()))
    scratch = c.workspace(kernels.d3d_splat_bin_bytes(pair_count), world_to_camera.device)
    c.check(
        kernels.d3d_splat_bin(
            cameras, count, footprints, histogram.data_ptr(), pairs, scratch.data_ptr(), launch
        )
    )

    image = means.new_empty(views, height, width, channels)
    alpha, depth, transmittance, last = (means.new_empty(views, height, width) for _ in range(4))
    images = CSplatImages(
        image.data_ptr(), alpha.data_ptr(), depth.data_ptr(), transmittance.data_ptr(), last.data_ptr()
    )
    scratch = c.workspace(kernels.d3d_splat_render_bytes(channels, launch), world_to_camera.device)
    c.check(
        kernels.d3d_splat_render(
            cameras, gaussians, footprints, pairs, byref(images), scratch.data_ptr(), launch
        )
    )
    return image, alpha, depth, radius_px, transmittance, last, splats, first_slot, tile_start, pair_table


def _tile_starts(library: str, views: int, width: int, height: int) -> int:
    tile_px = c.library(library).d3d_splat_tile_px()
    return views * -(-width // tile_px) * -(-height // tile_px) + 1


@_draw.register_fake
def _(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    probe: Tensor | None,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    near: float,
    far: float,
    blur_px: float,
) -> tuple[Tensor, ...]:
    views, (count, channels) = len(intrinsics), colours.shape
    pair_count = torch.library.get_ctx().new_dynamic_size()
    planes = [means.new_empty(views, height, width) for _ in range(4)]
    return (
        means.new_empty(views, height, width, channels),
        *planes[:2],
        means.new_empty(views, count),
        *planes[2:],
        means.new_empty(views, count, FOOTPRINT_FLOATS),
        means.new_empty(views * count + 1, dtype=torch.int32),
        means.new_empty(_tile_starts(library, views, width, height), dtype=torch.int32),
        means.new_empty(pair_count, 2, dtype=torch.int32),
    )


@torch.library.custom_op(
    "distill3d::splat_gradient",
    mutates_args=(),
    schema="(str library, Tensor by_colours, Tensor by_alpha, Tensor by_depth, "
    "Tensor means, Tensor wxyz, Tensor scales, "
    "Tensor opacities, Tensor colours, Tensor world_to_camera, Tensor intrinsics, "
    "Tensor transmittance, Tensor last, Tensor splats, Tensor first_slot, Tensor tile_start, "
    "Tensor pair_table, float near, float far, float blur_px) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _gradient(
    library: str,
    by_colours: Tensor,
    by_alpha: Tensor,
    by_depth: Tensor,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    transmittance: Tensor,
    last: Tensor,
    splats: Tensor,
    first_slot: Tensor,
    tile_start: Tensor,
    pair_table: Tensor,
    near: float,
    far: float,
    blur_px: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of means, wxyz, scales, opacities, colours and probe [V, N, 2]."""
    by_images = [values.contiguous() for values in (by_colours, by_alpha, by_depth)]
    inputs = [values.contiguous() for values in (means, wxyz, scales, opacities, colours)]
    views, height, width = transmittance.shape
    kernels, launch = c.library(library), byref(c.launch(world_to_camera.device))
    results = [torch.empty_like(values) for values in inputs] + [means.new_empty(views, len(means), 2)]
    scratch = c.workspace(
        kernels.d3d_splat_gradient_bytes(colours.shape[1], len(pair_table), launch), world_to_camera.device
    )
    c.check(
        kernels.d3d_splat_gradient(
            byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far)),
            byref(_gaussians(inputs, None, blur_px)),
            byref(CFootprints(splats.data_ptr(), None, first_slot.data_ptr())),
            byref(CPairs(len(pair_table), tile_start.data_ptr(), pair_table.data_ptr())),
            byref(CSplatImages(None, None, None, transmittance.data_ptr(), last.data_ptr())),
            byref(CSplatImageGradients(*[values.data_ptr() for values in by_images])),
            byref(CGaussianGradients(*[values.data_ptr() for values in results])),
            scratch.data_ptr(),
            launch,
        )
    )
    return results[0], results[1], results[2], results[3], results[4], results[5]


@_gradient.register_fake
def _(
    library: str,
    by_colours: Tensor,
    by_alpha: Tensor,
    by_depth: Tensor,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    world_to_camera: Tensor,
    *saved: object,
) -> tuple[Tensor, ...]:
    views = len(world_to_camera)
    results = [torch.empty_like(values) for values in (means, wxyz, scales, opacities, colours)]
    return (*results, means.new_empty(views, len(means), 2))


def _save(ctx, inputs, output) -> None:
    library, *gaussians, probe, world_to_camera, intrinsics, _width, _height, near, far, blur_px = inputs
    ctx.save_for_backward(*gaussians, world_to_camera, intrinsics, *output[4:])
    ctx.mark_non_differentiable(*output[3:])
    ctx.library, ctx.settings = library, (near, far, blur_px)
    ctx.probe_given = probe is not None


def _backward(ctx, by_colours, by_alpha, by_depth, *_unused) -> tuple:
    gradients = _gradient(ctx.library, by_colours, by_alpha, by_depth, *ctx.saved_tensors, *ctx.settings)
    by_probe = gradients[5] if ctx.probe_given else None
    return (None, *gradients[:5], by_probe, *[None] * 7)


_draw.register_autograd(_backward, setup_context=_save)
