"""Resampling rays where a proposal says that something is, and the loss that teaches the proposal.

Source: Barron et al. 2022, Mip-NeRF 360 (arXiv 2111.12077), section 3 and equation 13.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.ops import _volume_kernels, backends, proposal_reference
from distill3d.ops.march import Samples


def resample(
    samples: Samples,
    weights: Float[Tensor, " S"],
    count: int,
    *,
    jitter: Float[Tensor, " R"] | None = None,
) -> Float[Tensor, "R M"]:
    """Edges of `count` stretches of each ray, close together where `weights` are large. No gradients.

    Weights are taken as a density that is even within each sample; edge j stands at its quantile
    (j + jitter) / (count + 1), with jitter in [0, 1), ½ when not given. Negative weights count as none. Where
    all are zero, samples count by their lengths; a ray without samples has all its edges at 0.

    Raises TypeError for other than float32 on the compiled backends, ValueError for shapes that do not agree.
    """
    rays = len(samples.offsets) - 1
    jitter = samples.starts.new_full((rays,), 0.5) if jitter is None else jitter
    if weights.shape != samples.starts.shape or tuple(jitter.shape) != (rays,) or count < 1:
        raise ValueError(
            f"given weights {tuple(weights.shape)}, jitter {tuple(jitter.shape)} and count {count}, "
            f"expected ({len(samples.starts)},), ({rays},) and at least 1"
        )
    backend = backends.choose("resample", samples.starts, weights, jitter)
    arguments = (samples.starts, samples.ends, samples.offsets, weights.detach(), jitter, count)
    if backend == "reference":
        return proposal_reference.resample(*arguments)
    return _volume_kernels.resample(backend, *arguments)


def samples_between(
    edges: Float[Tensor, "R M"],
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
) -> Samples:
    """The stretches between each ray's `edges` as packed samples, the same number in every ray."""
    rays, count = edges.shape[0], edges.shape[1] - 1
    starts, ends = edges[:, :-1], edges[:, 1:]
    points = origins[:, None] + (0.5 * (starts + ends))[..., None] * directions[:, None]
    indices = torch.arange(rays, dtype=torch.int32, device=edges.device)
    offsets = torch.arange(rays + 1, dtype=torch.int32, device=edges.device) * count
    return Samples(
        starts.reshape(-1),
        ends.reshape(-1),
        points.reshape(-1, 3),
        indices.repeat_interleave(count),
        offsets,
        offsets[-1:].long(),
    )


def interlevel_loss(
    edges: Float[Tensor, "R A"],
    weights: Float[Tensor, "R N"],
    proposed_edges: Float[Tensor, "R E"],
    proposed_weights: Float[Tensor, "R M"],
) -> Float[Tensor, ""]:
    """Σ max(0, w - bound)² / w, averaged over rays: what a proposal should have covered and did not.

    `bound` is the weight of all proposed stretches that a stretch overlaps. Edges ascend. Differentiable in
    `proposed_weights` alone; the weights that teach are held fixed.
    """
    weights, smallest = weights.detach(), torch.finfo(weights.dtype).eps
    before = torch.cat([torch.zeros_like(proposed_weights[:, :1]), proposed_weights.cumsum(1)], 1)
    last = proposed_edges.shape[1] - 1
    proposed_edges = proposed_edges.detach().contiguous()
    first = torch.searchsorted(proposed_edges, edges[:, :-1].contiguous(), right=True) - 1
    end = torch.searchsorted(proposed_edges, edges[:, 1:].contiguous())
    bound = before.gather(1, end.clamp(0, last)) - before.gather(1, first.clamp(0, last))
    return ((weights - bound).clamp_min(0).square() / (weights + smallest)).sum(1).mean()
