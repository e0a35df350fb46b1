"""Packed samples to what rays see: emission and absorption.

w_i = T_i (1 - exp(-σ_i δ_i)),  T_i = exp(-Σ_{j<i} σ_j δ_j)

Source: Max 1995, Optical Models for Direct Volume Rendering; the distortion is equation 15 of Barron et al.
2022, Mip-NeRF 360 (arXiv 2111.12077). The exact rules are in `volume_reference`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill3d.ops import _volume_kernels, backends, volume_reference
from distill3d.ops.march import Samples


@dataclass(frozen=True)
class RayImages:
    """What rays see of packed samples; premultiplied by alpha."""

    values: Float[Tensor, "R C"]
    """Σ w v."""
    alpha: Float[Tensor, " R"]
    """Σ w."""
    depth: Float[Tensor, " R"]
    """Σ w t, with t a sample's middle in units of the ray's direction."""
    distortion: Float[Tensor, " R"]
    """Σ Σ w_i w_j |t_i - t_j| + ⅓ Σ w_i² (end_i - start_i), in units of the ray's direction."""
    weights: Float[Tensor, " S"]


def composite(
    samples: Samples,
    speeds: Float[Tensor, " R"],
    log_density: Float[Tensor, " S"],
    values: Float[Tensor, "S C"],
) -> RayImages:
    """Blend the samples of each ray front to back; differentiable in `log_density` and `values`.

    `speeds` are the lengths of the rays' directions, densities are per world unit, and `values` are any C
    channels. A ray takes no more once less than 1e-4 of its light is left; the sample that takes it there
    still counts. Samples whose density or values are not finite count as empty space, with no gradients.

    Raises TypeError for other than float32 on the compiled backends, ValueError for shapes that do not agree.
    """
    _check(samples, speeds, log_density)
    if values.ndim != 2 or values.shape[0] != len(log_density):
        raise ValueError(
            f"given values {tuple(values.shape)}, expected ({len(log_density)}, any number of channels)"
        )
    backend = backends.choose("composite", samples.starts, speeds, log_density, values)
    arguments = (samples.starts, samples.ends, samples.offsets, speeds, log_density, values)
    if backend == "reference":
        return RayImages(*volume_reference.composite(*arguments))
    return RayImages(*_volume_kernels.composite(backend, *arguments))


def transmittance(
    samples: Samples, speeds: Float[Tensor, " R"], log_density: Float[Tensor, " S"]
) -> Float[Tensor, " S"]:
    """The light T_i that reaches each sample, 0 where `composite` does not look. No gradient."""
    _check(samples, speeds, log_density)
    backend = backends.choose("composite", samples.starts, speeds, log_density)
    arguments = (samples.starts, samples.ends, samples.offsets, speeds, log_density.detach())
    if backend == "reference":
        return volume_reference.transmittance(*arguments)
    return _volume_kernels.transmittance(backend, *arguments)


def selected(samples: Samples, kept: Bool[Tensor, " S"]) -> Samples:
    """Only the samples that are `kept`, still packed; the device is waited for."""
    rows = kept[: int(samples.offsets[-1])].nonzero()[:, 0]
    before = torch.cat([kept.new_zeros(1, dtype=torch.int32), kept.cumsum(0, dtype=torch.int32)])
    offsets = before[samples.offsets.long()]
    return Samples(
        samples.starts[rows],
        samples.ends[rows],
        samples.points[rows],
        samples.rays[rows],
        offsets,
        offsets[-1:].long(),
    )


def _check(samples: Samples, speeds: Tensor, log_density: Tensor) -> None:
    if tuple(log_density.shape) != tuple(samples.starts.shape):
        raise ValueError(
            f"given log_density {tuple(log_density.shape)}, "
            f"expected {tuple(samples.starts.shape)}, one per sample"
        )
    if tuple(speeds.shape) != (len(samples.offsets) - 1,):
        raise ValueError(
            f"given speeds {tuple(speeds.shape)}, expected ({len(samples.offsets) - 1},), one per ray"
        )
