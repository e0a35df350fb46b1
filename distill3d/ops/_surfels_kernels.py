"""`surfels` on the compiled kernels: two torch operators and their ties to autograd."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _library as c


class CSurfels(Structure):
    _fields_ = [
        ("count", c_int64),
        ("channels", c_int32),
        ("view_stride", c_int64),
        *[(name, c_void_p) for name in ("means", "wxyz", "scales", "opacities", "colours", "probe")],
    ]


class CFootprints(Structure):
    _fields_ = [(name, c_void_p) for name in ("surfels", "radius_px", "first_slot")]


class CPairs(Structure):
    _fields_ = [("capacity", c_int64), *[(name, c_void_p) for name in ("needed", "tile_start", "pairs")]]


IMAGES = ("colours", "alpha", "depth", "median", "normal", "distortion")


class CSurfelImages(Structure):
    _fields_ = [(name, c_void_p) for name in (*IMAGES, "state")]


class CSurfelImageGradients(Structure):
    _fields_ = [(name, c_void_p) for name in IMAGES]


class CSurfelGradients(Structure):
    _fields_ = [(name, c_void_p) for name in ("means", "wxyz", "scales", "opacities", "colours", "probe")]


SURFEL_FLOATS = 21
STATES = 5

_DRAWN = [c.CAMERAS, POINTER(CSurfels), POINTER(CFootprints), POINTER(CPairs), POINTER(CSurfelImages)]
c.declare(
    {
        "d3d_surfels_tile_px": [c_int32],
        "d3d_surfels_histogram_bytes": [c_int64, c.CAMERAS, c_int64, c.LAUNCH],
        "d3d_surfels_project": [
            c_int32,
            *[c.CAMERAS, POINTER(CSurfels), POINTER(CFootprints), c_void_p, c_void_p, c.LAUNCH],
        ],
        "d3d_surfels_bin_bytes": [c_int64, c.CAMERAS, c_int64, c_int64, c.LAUNCH],
        "d3d_surfels_bin": [
            c_int32,
            *[c.CAMERAS, c_int64, POINTER(CFootprints), c_void_p, POINTER(CPairs), c_void_p, c.LAUNCH],
        ],
        "d3d_surfels_render_bytes": [c_int64, c_int32, c.LAUNCH],
        "d3d_surfels_render": [c_int32, *_DRAWN, c_void_p, c.LAUNCH],
        "d3d_surfels_gradient_bytes": [c_int64, c_int32, c_int64, c_int64, c_int64, c.LAUNCH],
        "d3d_surfels_gradient": [
            c_int32,
            *[*_DRAWN, POINTER(CSurfelImageGradients), POINTER(CSurfelGradients), c_void_p, c.LAUNCH],
        ],
    }
)


def surfels(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    cameras: Cameras,
    probe: Tensor | None,
) -> tuple[Tensor, ...]:
    """Colours, alpha, depth, median depth, normal, distortion and radii; the other arguments are those of
    `distill3d.ops.surfels.surfels`.
    """
    if cameras.world_to_camera.requires_grad or cameras.intrinsics.requires_grad:
        raise ValueError(
            f"the {library} backend gives no gradient to cameras and was given cameras that require one; "
            'detach them, or run inside use("reference")'
        )
    world_to_camera, intrinsics = c.flat(cameras)
    if probe is not None:
        probe = probe.reshape(len(world_to_camera), len(means), 2)
    if colours.ndim > 2:
        colours = colours.reshape(len(world_to_camera), *colours.shape[-2:])
    given = (library, means, wxyz, scales, opacities, colours, probe, world_to_camera, intrinsics)
    *images, radius_px = _draw(*given, cameras.width, cameras.height, cameras.near, cameras.far)[:7]
    shape = (*cameras.shape, cameras.height, cameras.width)
    pictures = [values.reshape(*shape, values.shape[-1]) for values in images]
    return *pictures, radius_px.reshape(*cameras.shape, len(means))


def _surfels(inputs: Sequence[Tensor], probe: Tensor | None) -> CSurfels:
    """The C view of contiguous means, wxyz, scales, opacities, colours and probe, which must outlive it."""
    *views, count, channels = inputs[-1].shape
    view_stride = count * channels if views else 0
    return CSurfels(count, channels, view_stride, *[_pointer(values) for values in (*inputs, probe)])


def _pointer(values: Tensor | None) -> int | None:
    return None if values is None else values.data_ptr()


@torch.library.custom_op(
    "distill3d::surfels",
    mutates_args=(),
    schema="(str library, Tensor means, Tensor wxyz, Tensor scales, Tensor opacities, Tensor colours, "
    "Tensor? probe, Tensor world_to_camera, Tensor intrinsics, int width, int height, float near, float far) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
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
) -> tuple[Tensor, ...]:
    """Pictures and radii; then state, records, first_slot, tile_start and pairs."""
    inputs = [values.contiguous() for values in (means, wxyz, scales, opacities, colours)]
    probe = None if probe is None else probe.contiguous()
    views, count, channels = len(intrinsics), len(means), colours.shape[-1]
    kernels, device = c.library(library), means.device
    launch = byref(c.launch(device))
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    shapes = byref(_surfels(inputs, probe))

    records, radius_px, first_slot = _footprints(means, views)
    footprints = byref(CFootprints(*[_pointer(values) for values in (records, radius_px, first_slot)]))
    histogram = c.workspace(kernels.d3d_surfels_histogram_bytes(cameras, count, launch), device)
    needed = means.new_empty(1, dtype=torch.int64)
    to_project = (histogram.data_ptr(), needed.data_ptr(), launch)
    c.check(kernels.d3d_surfels_project(cameras, shapes, footprints, *to_project))

    pair_table = means.new_empty(int(needed), 2, dtype=torch.int32)
    tile_start = means.new_empty(_tile_starts(library, views, width, height), dtype=torch.int32)
    pairs = CPairs(len(pair_table), needed.data_ptr(), tile_start.data_ptr(), pair_table.data_ptr())
    scratch = c.workspace(kernels.d3d_surfels_bin_bytes(cameras, count, len(pair_table), launch), device)
    to_bin = (histogram.data_ptr(), byref(pairs), scratch.data_ptr(), launch)
    c.check(kernels.d3d_surfels_bin(cameras, count, footprints, *to_bin))

    images = _images(means, views, height, width, channels)
    scratch = c.workspace(kernels.d3d_surfels_render_bytes(channels, launch), device)
    c_images = byref(CSurfelImages(*[values.data_ptr() for values in images]))
    drawn = (cameras, shapes, footprints, byref(pairs), c_images)
    c.check(kernels.d3d_surfels_render(*drawn, scratch.data_ptr(), launch))
    *pictures, state = images
    return *pictures, radius_px, state, records, first_slot, tile_start, pair_table


def _footprints(like: Tensor, views: int) -> tuple[Tensor, Tensor, Tensor]:
    """Records, radii and first slots."""
    return (
        like.new_empty(views, len(like), SURFEL_FLOATS),
        like.new_empty(views, len(like)),
        like.new_empty(views * len(like) + 1, dtype=torch.int32),
    )


def _images(like: Tensor, views: int, height: int, width: int, channels: int) -> list[Tensor]:
    """Room for the images of IMAGES, and for the state."""
    last_axes = (channels, 1, 1, 1, 3, 1)
    images = [like.new_empty(views, height, width, last) for last in last_axes]
    return [*images, like.new_empty(views, STATES, height, width)]


def _tile_starts(library: str, views: int, width: int, height: int) -> int:
    tile_px = c.library(library).d3d_surfels_tile_px()
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
) -> tuple[Tensor, ...]:
    views, pair_count = len(intrinsics), torch.library.get_ctx().new_dynamic_size()
    *pictures, state = _images(means, views, height, width, colours.shape[-1])
    records, radius_px, first_slot = _footprints(means, views)
    tile_start = means.new_empty(_tile_starts(library, views, width, height), dtype=torch.int32)
    pair_table = means.new_empty(pair_count, 2, dtype=torch.int32)
    return *pictures, radius_px, state, records, first_slot, tile_start, pair_table


@torch.library.custom_op(
    "distill3d::surfels_gradient",
    mutates_args=(),
    schema="(str library, Tensor? by_colours, Tensor? by_alpha, Tensor? by_depth, Tensor? by_median, "
    "Tensor? by_normal, Tensor? by_distortion, "
    "Tensor means, Tensor wxyz, Tensor scales, Tensor opacities, Tensor colours, "
    "Tensor world_to_camera, Tensor intrinsics, "
    "Tensor state, Tensor records, Tensor first_slot, Tensor tile_start, Tensor pair_table, "
    "float near, float far) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _gradient(
    library: str,
    by_colours: Tensor | None,
    by_alpha: Tensor | None,
    by_depth: Tensor | None,
    by_median: Tensor | None,
    by_normal: Tensor | None,
    by_distortion: Tensor | None,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    state: Tensor,
    records: Tensor,
    first_slot: Tensor,
    tile_start: Tensor,
    pair_table: Tensor,
    near: float,
    far: float,
) -> tuple[Tensor, ...]:
    """Gradients of means, wxyz, scales, opacities, colours and probe [V, N, 2]."""
    given = (by_colours, by_alpha, by_depth, by_median, by_normal, by_distortion)
    by_images = [None if values is None else values.contiguous() for values in given]
    inputs = [values.contiguous() for values in (means, wxyz, scales, opacities, colours)]
    views, _, height, width = state.shape
    kernels, device = c.library(library), means.device
    launch = byref(c.launch(device))
    results = [torch.empty_like(values) for values in inputs] + [means.new_empty(views, len(means), 2)]
    sizes = (colours.shape[-1], views, len(means), len(pair_table), launch)
    scratch = c.workspace(kernels.d3d_surfels_gradient_bytes(*sizes), device)
    c.check(
        kernels.d3d_surfels_gradient(
            byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far)),
            byref(_surfels(inputs, None)),
            byref(CFootprints(records.data_ptr(), None, first_slot.data_ptr())),
            byref(CPairs(len(pair_table), None, tile_start.data_ptr(), pair_table.data_ptr())),
            byref(CSurfelImages(*[None] * len(IMAGES), state.data_ptr())),
            byref(CSurfelImageGradients(*[_pointer(values) for values in by_images])),
            byref(CSurfelGradients(*[values.data_ptr() for values in results])),
            scratch.data_ptr(),
            launch,
        )
    )
    return tuple(results)


@_gradient.register_fake
def _(library: str, *arguments: Tensor) -> tuple[Tensor, ...]:
    inputs, intrinsics = arguments[6:11], arguments[12]
    results = [torch.empty_like(values) for values in inputs]
    return *results, inputs[0].new_empty(len(intrinsics), len(inputs[0]), 2)


def _save(ctx, inputs, output) -> None:
    library, *shapes, probe, world_to_camera, intrinsics, _width, _height, near, far = inputs
    ctx.save_for_backward(*shapes, world_to_camera, intrinsics, *output[7:])
    ctx.mark_non_differentiable(*output[6:])
    ctx.set_materialize_grads(False)
    ctx.library, ctx.planes = library, (near, far)
    ctx.probe_given = probe is not None


def _backward(ctx, *by_output) -> tuple:
    gradients = _gradient(ctx.library, *by_output[:6], *ctx.saved_tensors, *ctx.planes)
    by_probe = gradients[5] if ctx.probe_given else None
    return (None, *gradients[:5], by_probe, *[None] * 6)


_draw.register_autograd(_backward, setup_context=_save)
