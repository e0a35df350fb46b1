"""`surfels` on the compiled kernels: two torch operators and their ties to autograd."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _library as c
from distill3d.ops import _splat_abi as abi
from distill3d.ops._room import room_for
from distill3d.ops._splat_kernels import refuse_gradients


class CSurfels(Structure):
    _fields_ = [
        ("count", c_int64),
        ("channels", c_int32),
        ("view_stride", c_int64),
        *[(name, c_void_p) for name in ("means", "wxyz", "scales", "opacities", "colours", "probe")],
    ]


IMAGES = ("colours", "alpha", "depth", "median", "normal", "distortion")


class CSurfelImages(Structure):
    _fields_ = [(name, c_void_p) for name in (*IMAGES, "state")]


class CSurfelImageGradients(Structure):
    _fields_ = [(name, c_void_p) for name in IMAGES]


class CSurfelGradients(Structure):
    _fields_ = [(name, c_void_p) for name in ("means", "wxyz", "scales", "opacities", "colours", "probe")]


SURFEL_FLOATS = 14
STATES = 5

_SHAPES, _FOOTPRINTS = POINTER(CSurfels), POINTER(abi.CFootprints)
_DRAWN = [c.CAMERAS, _SHAPES, _FOOTPRINTS, POINTER(abi.CPairs), POINTER(CSurfelImages)]
c.declare(
    {
        "d3d_surfels_project": [c_int32, c.CAMERAS, _SHAPES, _FOOTPRINTS, c_void_p, c_void_p, c.LAUNCH],
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
    refuse_gradients(library, cameras)
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
    return CSurfels(count, channels, view_stride, *[abi.pointer(values) for values in (*inputs, probe)])


@torch.library.custom_op(
    "distill3d::surfels",
    mutates_args=(),
    schema="(str library, Tensor means, Tensor wxyz, Tensor scales, Tensor opacities, Tensor colours, "
    "Tensor? probe, Tensor world_to_camera, Tensor intrinsics, int width, int height, float near, float far) "
    f"-> ({', '.join(['Tensor'] * 14)})",
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
    """Pictures and radii; then state and the tensors of abi.Bins, of which `splats` are bounds."""
    inputs = [values.contiguous() for values in (means, wxyz, scales, opacities, colours)]
    probe = None if probe is None else probe.contiguous()
    kernels, launch = c.library(library), byref(c.launch(means.device))
    cameras = c.c_cameras(world_to_camera, intrinsics, width, height, near, far)
    shapes = byref(_surfels(inputs, probe))
    bins = _bins(
        kernels, cameras, shapes, launch, means, abi.tile_starts(library, len(intrinsics), width, height)
    )

    images = _images(means, len(intrinsics), height, width, colours.shape[-1])
    scratch = c.workspace(kernels.d3d_surfels_render_bytes(colours.shape[-1], launch), means.device)
    c_images = CSurfelImages(*[values.data_ptr() for values in images])
    drawn = (byref(cameras), shapes, byref(bins.c_footprints()), byref(bins.c_pairs()), byref(c_images))
    c.check(kernels.d3d_surfels_render(*drawn, scratch.data_ptr(), launch))
    *pictures, state = images
    kept = (bins.splats, bins.seen, bins.first_slot, bins.needed, bins.tile_start, bins.pairs)
    return *pictures, bins.radius_px, state, *kept


def _bins(
    kernels: Any, cameras: c.CCameras, shapes: Any, launch: Any, like: Tensor, tile_starts: int
) -> abi.Bins:
    """Project and bin. `like` is the means."""
    count, views = len(like), cameras.views
    splats, seen, radius_px, first_slot = _footprints(like, views)
    footprints = byref(abi.CFootprints(*map(abi.pointer, (splats, seen, radius_px, first_slot))))
    histogram = c.workspace(kernels.d3d_splat_histogram_bytes(cameras, count, launch), like.device)
    needed = like.new_empty(1, dtype=torch.int64)
    to_project = (histogram.data_ptr(), needed.data_ptr(), launch)
    c.check(kernels.d3d_surfels_project(byref(cameras), shapes, footprints, *to_project))

    room = room_for(("surfels", views, count, cameras.width, cameras.height), needed)
    pairs = like.new_empty(room, 2, dtype=torch.int32)
    tile_start = like.new_empty(tile_starts, dtype=torch.int32)
    bins = abi.Bins(splats, seen, radius_px, first_slot, needed, tile_start, pairs)
    scratch = c.workspace(kernels.d3d_splat_bin_bytes(cameras, count, len(pairs), launch), like.device)
    to_bin = (histogram.data_ptr(), byref(bins.c_pairs()), scratch.data_ptr(), launch)
    c.check(kernels.d3d_splat_bin(byref(cameras), count, footprints, *to_bin))
    return bins


def _footprints(like: Tensor, views: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bounds, surfels, radii and first slots."""
    return (
        like.new_empty(views, len(like), abi.FOOTPRINT_FLOATS),
        like.new_empty(views, len(like), SURFEL_FLOATS),
        like.new_empty(views, len(like)),
        like.new_empty(views * len(like) + 1, dtype=torch.int32),
    )


def _images(like: Tensor, views: int, height: int, width: int, channels: int) -> list[Tensor]:
    """Room for the images of IMAGES, and for the state."""
    last_axes = (channels, 1, 1, 1, 3, 1)
    images = [like.new_empty(views, height, width, last) for last in last_axes]
    return [*images, like.new_empty(views, STATES, height, width)]


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
    splats, seen, radius_px, first_slot = _footprints(means, views)
    tile_start = means.new_empty(abi.tile_starts(library, views, width, height), dtype=torch.int32)
    needed, pairs = (
        means.new_empty(1, dtype=torch.int64),
        means.new_empty(pair_count, 2, dtype=torch.int32),
    )
    return *pictures, radius_px, state, splats, seen, first_slot, needed, tile_start, pairs


@torch.library.custom_op(
    "distill3d::surfels_gradient",
    mutates_args=(),
    schema="(str library, Tensor? by_colours, Tensor? by_alpha, Tensor? by_depth, Tensor? by_median, "
    "Tensor? by_normal, Tensor? by_distortion, "
    "Tensor means, Tensor wxyz, Tensor scales, Tensor opacities, Tensor colours, "
    "Tensor world_to_camera, Tensor intrinsics, "
    "Tensor state, Tensor splats, Tensor seen, Tensor first_slot, Tensor needed, Tensor tile_start, "
    "Tensor pairs, float near, float far) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
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
    splats: Tensor,
    seen: Tensor,
    first_slot: Tensor,
    needed: Tensor,
    tile_start: Tensor,
    pairs: Tensor,
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
    bins = abi.Bins(splats, seen, splats, first_slot, needed, tile_start, pairs)
    sizes = (colours.shape[-1], views, len(means), len(pairs), launch)
    scratch = c.workspace(kernels.d3d_surfels_gradient_bytes(*sizes), device)
    c.check(
        kernels.d3d_surfels_gradient(
            byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far)),
            byref(_surfels(inputs, None)),
            byref(bins.c_footprints()),
            byref(bins.c_pairs()),
            byref(CSurfelImages(*[None] * len(IMAGES), state.data_ptr())),
            byref(CSurfelImageGradients(*[abi.pointer(values) for values in by_images])),
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
