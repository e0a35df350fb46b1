"""`splat` on the compiled kernels: two torch operators and their ties to autograd."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _library as c
from distill3d.ops import _splat_abi as abi


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
    *,
    absolute_probe: Tensor | None,
    sh: Tensor | None,
    normals: bool,
    antialiased: bool,
) -> list[Tensor]:
    """Colours, alpha, depth, radii, radiance and normal; arguments are those of `splat_reference.splat`."""
    refuse_gradients(library, cameras)
    world_to_camera, intrinsics = c.flat(cameras)
    views, count = len(world_to_camera), len(means)

    def in_a_row(table: Tensor | None) -> Tensor | None:
        return None if table is None else table.reshape(views, count, table.shape[-1])

    images = _draw(
        library,
        means,
        wxyz,
        scales,
        opacities,
        colours if colours.ndim == 2 else in_a_row(colours),
        sh,
        in_a_row(probe),
        in_a_row(absolute_probe),
        world_to_camera,
        intrinsics,
        cameras.width,
        cameras.height,
        cameras.near,
        cameras.far,
        blur_px,
        antialiased,
        normals,
    )
    return [picture.reshape(*cameras.shape, *picture.shape[1:]) for picture in images[:6]]


def refuse_gradients(library: str, cameras: Cameras) -> None:
    if cameras.world_to_camera.requires_grad or cameras.intrinsics.requires_grad:
        raise ValueError(
            f"the {library} backend gives no gradient to cameras and was given cameras that require one; "
            'detach them, or run inside use("reference")'
        )


@torch.library.custom_op(
    "distill3d::splat",
    mutates_args=(),
    schema="(str library, Tensor means, Tensor wxyz, Tensor scales, Tensor opacities, Tensor colours, "
    "Tensor? sh, Tensor? probe, Tensor? absolute_probe, Tensor world_to_camera, Tensor intrinsics, "
    "int width, int height, float near, float far, float blur_px, bool antialiased, bool normals) "
    f"-> ({', '.join(['Tensor'] * 14)})",
)
def _draw(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    sh: Tensor | None,
    probe: Tensor | None,
    absolute_probe: Tensor | None,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    near: float,
    far: float,
    blur_px: float,
    antialiased: bool,
    normals: bool,
) -> tuple[Tensor, ...]:
    """Colours, alpha, depth, radii, radiance, normal; transmittance, last; and the other tensors of Bins."""
    kernels, launch = c.library(library), c.launch(means.device)
    cameras = c.c_cameras(world_to_camera, intrinsics, width, height, near, far)
    shape = [values.contiguous() for values in (means, wxyz, scales, opacities)]
    colours, sh, probe = colours.contiguous(), _contiguous(sh), _contiguous(probe)
    values = abi.c_values(sh, colours, normals)
    bins = abi.bins(
        library, cameras, launch, abi.c_gaussians(shape, probe, blur_px, antialiased), values, means
    )

    views = len(intrinsics)
    image = means.new_empty(views, height, width, colours.shape[-1])
    alpha, depth, transmittance, last = (means.new_empty(views, height, width, 1) for _ in range(4))
    radiance = means.new_empty(views, height, width, 0 if sh is None else 3)
    normal = means.new_empty(views, height, width, 3 if normals else 0)
    images = abi.CSplatImages(
        *map(abi.pointer, (image, _unless_empty(radiance), _unless_empty(normal))),
        *map(abi.pointer, (alpha, depth, transmittance, last)),
    )
    scratch = c.workspace(kernels.d3d_splat_render_bytes(values, launch), means.device)
    c.check(
        kernels.d3d_splat_render(
            cameras,
            len(means),
            values,
            bins.c_footprints(),
            bins.c_pairs(),
            images,
            scratch.data_ptr(),
            launch,
        )
    )
    return (
        *(image, alpha, depth, bins.radius_px, radiance, normal, transmittance, last),
        *(bins.splats, bins.seen, bins.first_slot, bins.needed, bins.tile_start, bins.pairs),
    )


def _contiguous(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _unless_empty(picture: Tensor) -> Tensor | None:
    return picture if picture.shape[-1] else None


@_draw.register_fake
def _(
    library: str,
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    sh: Tensor | None,
    probe: Tensor | None,
    absolute_probe: Tensor | None,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    near: float,
    far: float,
    blur_px: float,
    antialiased: bool,
    normals: bool,
) -> tuple[Tensor, ...]:
    views, count = len(intrinsics), len(means)
    radiance, normal = 0 if sh is None else 3, 3 if normals else 0
    pair_count = torch.library.get_ctx().new_dynamic_size()
    pictures = [
        means.new_empty(views, height, width, channels)
        for channels in (colours.shape[-1], 1, 1, radiance, normal, 1, 1)
    ]
    return (
        *pictures[:3],
        means.new_empty(views, count),
        *pictures[3:],
        means.new_empty(views, count, abi.FOOTPRINT_FLOATS),
        means.new_empty(views, count, 1 + radiance + normal),
        means.new_empty(views * count + 1, dtype=torch.int32),
        means.new_empty(1, dtype=torch.int64),
        means.new_empty(abi.tile_starts(library, views, width, height), dtype=torch.int32),
        means.new_empty(pair_count, 2, dtype=torch.int32),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """What the gradient reads: the inputs, and of the output all but the pictures."""
    ctx.library, *tensors = inputs[:11]
    ctx.settings = inputs[13:]
    ctx.save_for_backward(*tensors, *output[6:])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *by_output: Tensor | None) -> tuple[Tensor | None, ...]:
    by_colours, by_alpha, by_depth, _, by_radiance, by_normal, *_ = by_output
    means, wxyz, scales, opacities, colours, sh, _, _, *kept = ctx.saved_tensors
    _, *wanted = ctx.needs_input_grad[:9]
    results = _gradient(
        ctx.library,
        [by_colours, by_radiance, by_normal, by_alpha, by_depth],
        wanted,
        means,
        wxyz,
        scales,
        opacities,
        colours,
        sh,
        kept,
        *ctx.settings,
    )
    gradients = [result if want else None for result, want in zip(results, wanted, strict=True)]
    return (None, *gradients, *[None] * 9)


_draw.register_autograd(_backward, setup_context=_keep)


@torch.library.custom_op(
    "distill3d::splat_gradient",
    mutates_args=(),
    schema="(str library, Tensor?[] by_images, bool[] wanted, Tensor means, Tensor wxyz, Tensor scales, "
    "Tensor opacities, Tensor colours, Tensor? sh, Tensor[] kept, float near, float far, float blur_px, "
    f"bool antialiased, bool normals) -> ({', '.join(['Tensor'] * 8)})",
)
def _gradient(
    library: str,
    by_images: list[Tensor | None],
    wanted: list[bool],
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    sh: Tensor | None,
    kept: list[Tensor],
    near: float,
    far: float,
    blur_px: float,
    antialiased: bool,
    normals: bool,
) -> tuple[Tensor, ...]:
    """Gradients of means, wxyz, scales, opacities, colours, sh, probe and absolute_probe; the last four are
    empty where `wanted` says so. `kept` is what `_keep` kept of the cameras and the output.
    """
    world_to_camera, intrinsics, transmittance, last, splats, seen, first_slot, needed, starts, pairs = kept
    kernels, launch = c.library(library), c.launch(means.device)
    views, height, width, _ = transmittance.shape
    shape = [values.contiguous() for values in (means, wxyz, scales, opacities)]
    colours, sh = colours.contiguous(), _contiguous(sh)
    values = abi.c_values(sh, colours, normals)
    bins = abi.Bins(splats, seen, splats, first_slot, needed, starts, pairs)
    by_images = [_contiguous(image) for image in by_images]
    by_shape = [torch.empty_like(values) for values in shape]
    rest = _rest(wanted, means, colours, sh, views)
    by_colours, by_sh, by_probe, by_absolute = (part if part.numel() else None for part in rest)
    size = kernels.d3d_splat_gradient_bytes(values, views, len(means), len(pairs), launch)
    scratch = c.workspace(size, means.device)
    c.check(
        kernels.d3d_splat_gradient(
            c.c_cameras(world_to_camera, intrinsics, width, height, near, far),
            abi.c_gaussians(shape, None, blur_px, antialiased),
            values,
            bins.c_footprints(),
            bins.c_pairs(),
            abi.CSplatImages(*[None] * 5, transmittance.data_ptr(), last.data_ptr()),
            abi.CSplatImageGradients(*map(abi.pointer, by_images)),
            abi.CGaussianGradients(*map(abi.pointer, (*by_shape, by_sh, by_colours, by_probe, by_absolute))),
            scratch.data_ptr(),
            launch,
        )
    )
    return (*by_shape, *rest)


def _rest(wanted: list[bool], means: Tensor, colours: Tensor, sh: Tensor | None, views: int) -> list[Tensor]:
    """Room for the gradients of colours, sh and the two probes, those that are wanted."""
    pulls = (views, len(means), 2)
    sizes = (colours.shape, () if sh is None else sh.shape, pulls, pulls)
    return [means.new_empty(size if want else 0) for size, want in zip(sizes, wanted[4:], strict=True)]


@_gradient.register_fake
def _(
    library: str,
    by_images: list[Tensor | None],
    wanted: list[bool],
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    sh: Tensor | None,
    kept: list[Tensor],
    *settings: object,
) -> tuple[Tensor, ...]:
    by_shape = [torch.empty_like(values) for values in (means, wxyz, scales, opacities)]
    return (*by_shape, *_rest(wanted, means, colours, sh, len(kept[0])))
