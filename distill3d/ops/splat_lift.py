"""What each pixel owes to each Gaussian: maps lifted to Gaussians, their share of pictures, pixels' best.

All three count with the weights w by which `splat` draws; `splat_lift_reference` defines them.
None has a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _splat_lift_kernels, backends, splat_lift_reference
from distill3d.ops._splat_checks import check_gaussians, check_shape


@dataclass(frozen=True)
class SplatWeights:
    """How much of each picture each Gaussian is; zeros where it is not seen."""

    weight: Float[Tensor, "*B N"]
    """Σ w over the pixels."""
    peak: Float[Tensor, "*B N"]
    """The greatest w."""
    pixels: Int32[Tensor, "*B N"]
    """How many pixels have w > 0."""


@torch.no_grad()
def lift(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    cameras: Cameras,
    maps: Float[Tensor, "*B H W D"],
    *,
    blur_px: float = 0.3,
    antialiased: bool = False,
) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N 1"]]:
    """Σ w map and Σ w over all pixels of all cameras, for each Gaussian.

    The first is the adjoint of drawing colours: with f drawn as f̂, <f̂, map> = <f, Σ w map>. Their quotient
    is the average of what is seen of a Gaussian. `maps` have any number D of channels.

    Raises TypeError for other than float32 on the compiled backends, ValueError for shapes that do not agree.
    """
    sums, weight, _, _ = _weigh(means, wxyz, scales, opacities, cameras, maps, blur_px, antialiased)
    return sums, weight.sum(0)[:, None]


@torch.no_grad()
def weigh(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    cameras: Cameras,
    *,
    blur_px: float = 0.3,
    antialiased: bool = False,
) -> SplatWeights:
    """How much of each picture each Gaussian is; for densification and pruning. Errors as in `lift`."""
    nothing = means.new_empty(*cameras.shape, cameras.height, cameras.width, 0)
    _, *counts = _weigh(means, wxyz, scales, opacities, cameras, nothing, blur_px, antialiased)
    return SplatWeights(*[count.reshape(*cameras.shape, len(means)) for count in counts])


@torch.no_grad()
def contributors(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    cameras: Cameras,
    most: int,
    *,
    blur_px: float = 0.3,
    antialiased: bool = False,
) -> tuple[Int32[Tensor, "*B H W K"], Float[Tensor, "*B H W K"]]:
    """The `most` Gaussians with the greatest weights in each pixel, and those weights; greatest first.

    Of equal weights the nearer comes first. Where fewer Gaussians are seen the ids are -1 and the weights 0.
    Errors are those of `lift`, and ValueError where `most` is less than 1.
    """
    if most < 1:
        raise ValueError(f"given most {most}, expected the number of contributors to each pixel, 1 or more")
    backend = _choose(means, wxyz, scales, opacities, cameras)
    inputs = (means, wxyz, scales, opacities, cameras, most, blur_px, antialiased)
    if backend == "reference":
        ids, weights = splat_lift_reference.contributors(*inputs)
    else:
        ids, weights = _splat_lift_kernels.contributors(backend, *inputs)
    shape = (*cameras.shape, cameras.height, cameras.width, most)
    return ids.reshape(shape), weights.reshape(shape)


def _weigh(
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    cameras: Cameras,
    maps: Tensor,
    blur_px: float,
    antialiased: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    backend = _choose(means, wxyz, scales, opacities, cameras, maps)
    size = (cameras.height, cameras.width, maps.shape[-1])
    check_shape("maps", maps, (*cameras.shape, *size))
    inputs = (
        means,
        wxyz,
        scales,
        opacities,
        cameras,
        maps.reshape(cameras.shape.numel(), *size),
        blur_px,
        antialiased,
    )
    if backend == "reference":
        return splat_lift_reference.weigh(*inputs)
    return _splat_lift_kernels.weigh(backend, *inputs)


def _choose(
    means: Tensor, wxyz: Tensor, scales: Tensor, opacities: Tensor, cameras: Cameras, *maps: Tensor
) -> str:
    check_gaussians(means, wxyz, scales, opacities, cameras)
    inputs = (means, wxyz, scales, opacities, *maps, cameras.world_to_camera, cameras.intrinsics)
    return backends.choose("splat_lift", *inputs)
