"""Noised pictures x_t = α x + σ ε, and the ways to come to them: the noise paths of score distillation.

Letters: t is the noise level in [0, 1]; α and σ are the prior's at t; s < t is a lower level.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.prior import Prior, per_picture


@dataclass(frozen=True)
class Noised:
    """x_t = α x + σ ε, and what it was made from."""

    x_t: Float[Tensor, "B ..."]
    noise: Float[Tensor, "B ..."]
    t: Float[Tensor, "B"]
    alpha: Float[Tensor, "B"]
    sigma: Float[Tensor, "B"]


def perturb(x: Float[Tensor, "B ..."], prior: Prior, t: Float[Tensor, "B"], moment: Moment) -> Noised:
    """Add fresh noise of level t to x; nothing in the result carries a gradient."""
    alpha, sigma = prior.alpha_sigma(t)
    noise = moment.normal(*x.shape).to(x)
    x_t = per_picture(alpha, x) * x.detach() + per_picture(sigma, x) * noise
    return Noised(x_t, noise, t, alpha, sigma)
