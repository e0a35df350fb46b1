"""The definition of `resample` in plain torch: every edge looks for its quantile in every sample."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.ops.volume_reference import places


def resample(
    starts: Float[Tensor, " S"],
    ends: Float[Tensor, " S"],
    offsets: Int[Tensor, " E"],
    weights: Float[Tensor, " S"],
    jitter: Float[Tensor, " R"],
    count: int,
) -> Float[Tensor, "R M"]:
    """Edges; see `distill3d.ops.proposal.resample`."""
    wanted = (torch.arange(count + 1).to(jitter) + jitter[:, None]) / (count + 1)
    if not len(starts):
        return torch.zeros_like(wanted)
    rays, there = places(offsets)
    shares = torch.where(there, weights[rays].clamp_min(0), 0)
    lengths = torch.where(there, (ends - starts)[rays], 0)
    shares = torch.where(shares.sum(1, keepdim=True) > 0, shares, lengths)
    summed = shares.cumsum(1)
    wanted = wanted * summed[:, -1:]
    last = (offsets.diff() - 1).clamp_min(0)[:, None]
    which = torch.minimum((summed[:, None] <= wanted[..., None]).sum(2), last)
    share = shares.gather(1, which)
    inside = (wanted - (summed.gather(1, which) - share)) / torch.where(share > 0, share, 1)
    sample = rays.gather(1, which)
    edges = starts[sample] + inside.clamp(0, 1) * (ends - starts)[sample]
    return torch.where(there[:, :1], edges, 0)
