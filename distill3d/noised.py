"""Noised pictures x_t = α x + σ ε, and the ways to come to them: the noise paths of score distillation.

Letters: t is the noise level in [0, 1]; α and σ are the prior's at t; s < t is a lower level.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.prior import Condition, Prior, guided, noise_from_clean, per_picture

LOWEST = 0.02  # the noise level from which pictures are inverted
HIGHEST = 0.995  # above it nothing of a picture is left


@dataclass(frozen=True)
class Noised:
    """x_t = α x + σ ε, and what it was made from."""

    x_t: Float[Tensor, "B ..."]
    noise: Float[Tensor, "B ..."]
    t: Float[Tensor, "B"]
    alpha: Float[Tensor, "B"]
    sigma: Float[Tensor, "B"]


def noised(
    x: Float[Tensor, "B ..."], noise: Float[Tensor, "B ..."], prior: Prior, t: Float[Tensor, "B"]
) -> Noised:
    """X with this noise at level t, differentiable in x."""
    alpha, sigma = prior.alpha_sigma(t)
    x_t = torch.addcmul(per_picture(alpha, x) * x, per_picture(sigma, x), noise)
    return Noised(x_t, noise, t, alpha, sigma)


def perturb(x: Float[Tensor, "B ..."], prior: Prior, t: Float[Tensor, "B"], moment: Moment) -> Noised:
    """Independent noise: x with fresh noise of level t; nothing in the result carries a gradient."""
    return noised(x.detach(), moment.normal(*x.shape).to(x), prior, t)


def step(
    x_t: Float[Tensor, "B ..."],
    noise: Float[Tensor, "B ..."],
    prior: Prior,
    t: Float[Tensor, "B"],
    s: Float[Tensor, "B"],
) -> Float[Tensor, "B ..."]:
    """x_s from x_t along the ODE, up or down: x_s / α_s = x_t / α_t + (σ_s / α_s - σ_t / α_t) ε.

    Source: Song et al. 2020, DDIM (arXiv 2010.02502), equation 13.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = prior.alpha_sigma(t), prior.alpha_sigma(s)
    kept = alpha_s / alpha_t
    return per_picture(kept, x_t) * x_t + per_picture(sigma_s - kept * sigma_t, x_t) * noise


def inverted(
    x: Float[Tensor, "B ..."],
    prior: Prior,
    condition: Condition,
    t: Float[Tensor, "B"],
    *,
    steps: int,
    guidance: float,
) -> Noised:
    """DDIM inversion: x carried up to t by the noise that the prior sees in it, in `steps` equal hops.

    The prior is asked from the level LOWEST on, since at 0 a picture has no noise to see. The noise of the
    result is the one that x with it would be x_t: (x_t - α x) / σ.
    """
    levels = [LOWEST + (t - LOWEST) * k / steps for k in range(steps + 1)]
    x_s = x.detach()
    for s, higher in pairwise(levels):
        x_s = step(x_s, guided(prior, x_s, s, condition, guidance), prior, s, higher)
    alpha, sigma = prior.alpha_sigma(t)
    return Noised(x_s, noise_from_clean(x.detach(), x_s, alpha, sigma), t, alpha, sigma)
