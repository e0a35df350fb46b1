"""The definition of `composite` in plain torch, differentiable by autograd in any float type.

The same rules, in the same words, as in cuda/include/d3d/volume.h.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

TRANSMITTANCE_MIN = 1e-4
OPTICAL_MAX, LOG_DENSITY_MAX = 80.0, 60.0
"""Optical depth and log density are cut off here, where nothing passes; so are their gradients."""


def places(offsets: Int[Tensor, " E"]) -> tuple[Int[Tensor, "R K"], Bool[Tensor, "R K"]]:
    """The samples of each ray side by side, and which of them there are."""
    counts = offsets.diff()
    widest = int(counts.max()) if len(counts) else 0
    column = torch.arange(max(widest, 1), device=offsets.device)
    there = column < counts[:, None]
    return torch.where(there, offsets[:-1, None] + column, 0).long(), there


def before(factors: Float[Tensor, "R K"]) -> Float[Tensor, "R K"]:
    """The product of all factors in front."""
    return torch.cat([torch.ones_like(factors[:, :1]), factors.cumprod(1)[:, :-1]], 1)


def transparency(
    starts: Float[Tensor, " S"],
    ends: Float[Tensor, " S"],
    rays: Int[Tensor, "R K"],
    there: Bool[Tensor, "R K"],
    speeds: Float[Tensor, " R"],
    log_density: Float[Tensor, " S"],
) -> tuple[Float[Tensor, "R K"], Float[Tensor, "R K"]]:
    """exp(-σ δ) of each sample of each ray, and the light that reaches it, with the early stop."""
    density = torch.exp(log_density[rays].clamp_max(LOG_DENSITY_MAX))
    optical = (density * ((ends - starts)[rays] * speeds[:, None])).clamp_max(OPTICAL_MAX)
    passing = torch.where(there, torch.exp(-optical), 1)
    with torch.no_grad():
        open = before(passing) > TRANSMITTANCE_MIN
    passing = torch.where(open, passing, 1)
    return passing, torch.where(open & there, before(passing), 0)


def transmittance(
    starts: Float[Tensor, " S"],
    ends: Float[Tensor, " S"],
    offsets: Int[Tensor, " E"],
    speeds: Float[Tensor, " R"],
    log_density: Float[Tensor, " S"],
) -> Float[Tensor, " S"]:
    """The light that reaches each sample; see `distill3d.ops.volume.transmittance`."""
    result = torch.zeros_like(log_density)
    if not len(log_density):
        return result
    rays, there = places(offsets)
    log_density = torch.where(log_density.isfinite(), log_density, -torch.inf)
    _, reaching = transparency(starts, ends, rays, there, speeds, log_density)
    result[rays[there]] = reaching[there]
    return result


def composite(
    starts: Float[Tensor, " S"],
    ends: Float[Tensor, " S"],
    offsets: Int[Tensor, " E"],
    speeds: Float[Tensor, " R"],
    log_density: Float[Tensor, " S"],
    values: Float[Tensor, "S C"],
) -> tuple[
    Float[Tensor, "R C"], Float[Tensor, " R"], Float[Tensor, " R"], Float[Tensor, " R"], Float[Tensor, " S"]
]:
    """Values, alpha, depth, distortion and weights; see `distill3d.ops.volume.composite`."""
    count = len(offsets) - 1
    if not len(log_density):
        nothing = speeds.new_zeros(count) + log_density.sum()
        return nothing[:, None] + values.sum(0), nothing, nothing, nothing, log_density
    rays, there = places(offsets)
    healthy = log_density.isfinite() & values.isfinite().all(1)
    log_density = torch.where(healthy, log_density, -torch.inf)
    values = torch.where(healthy[:, None], values, 0)
    passing, reaching = transparency(starts, ends, rays, there, speeds, log_density)
    w = reaching * (1 - passing)
    t = torch.where(there, 0.5 * (starts + ends)[rays], 0)
    length = torch.where(there, (ends - starts)[rays], 0)

    apart = torch.einsum("ri,rj,rij->r", w, w, (t[:, :, None] - t[:, None, :]).abs())
    distortion = apart + (w * w * length).sum(1) / 3
    weights = torch.zeros_like(log_density).index_put((rays[there],), w[there])
    pictured = torch.einsum("rk,rkc->rc", w, values[rays])
    return pictured, w.sum(1), (w * t).sum(1), distortion, weights
