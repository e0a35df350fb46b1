"""The exact denoiser of a mixture of Gaussians Σ_k π_k N(c_k, s²): its posterior mean, in closed form.

With x_t = α x + σ ε the mixture noised is Σ_k π_k N(α c_k, v), v = α² s² + σ², so

    r_k ∝ π_k exp(-‖x_t - α c_k‖² / 2v)          responsibilities
    E[x | x_t] = Σ_k r_k c_k + (α s² / v) (x_t - α Σ_k r_k c_k)
    log p_t    = log Σ_k π_k exp(-‖x_t - α c_k‖² / 2v) - D/2 log v        without the constant -D/2 log 2π
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def logits(
    overlaps: Float[Tensor, "B K"],
    squares: Float[Tensor, "#B K"],
    log_weights: Float[Tensor, "#B K"] | float,
    alpha: Float[Tensor, "B"],
    variance: Float[Tensor, "B"],
) -> Float[Tensor, "B K"]:
    """Log r_k and a constant, from the overlaps x_t·c_k and the squares ‖c_k‖²; `variance` is v."""
    a, v = alpha[:, None], variance[:, None]
    return (a * overlaps - 0.5 * a**2 * squares) / v + log_weights


def shrink(
    x_t: Float[Tensor, "B D"],
    nearest: Float[Tensor, "B D"],
    alpha: Float[Tensor, "B"],
    sigma: Float[Tensor, "B"],
    spread: float,
) -> Float[Tensor, "B D"]:
    """E[x | x_t] from `nearest` = Σ_k r_k c_k and the components' standard deviation `spread` = s."""
    a, v = alpha[:, None], (alpha**2 * spread**2 + sigma**2)[:, None]
    return nearest + (a * spread**2 / v) * (x_t - a * nearest)


def posterior_mean(
    x_t: Float[Tensor, "B D"],
    centres: Float[Tensor, "K D"],
    alpha: Float[Tensor, "B"],
    sigma: Float[Tensor, "B"],
    *,
    spread: float = 0.0,
    log_weights: Float[Tensor, "#B K"] | float = 0.0,
) -> Float[Tensor, "B D"]:
    """E[x | x_t] for components at `centres` with deviation `spread` and weights exp(log_weights)."""
    variance = alpha**2 * spread**2 + sigma**2
    of_centres = logits(x_t @ centres.T, centres.square().sum(-1)[None], log_weights, alpha, variance)
    r = torch.softmax(of_centres, -1)
    return shrink(x_t, r @ centres, alpha, sigma, spread)


def log_density(
    x_t: Float[Tensor, "B D"],
    centres: Float[Tensor, "K D"],
    alpha: Float[Tensor, "B"],
    sigma: Float[Tensor, "B"],
    *,
    spread: float = 0.0,
    log_weights: Float[Tensor, "#B K"] | None = None,
) -> Float[Tensor, "B"]:
    """Log p_t of x_t, without its constant; without `log_weights` the components weigh the same."""
    variance = alpha**2 * spread**2 + sigma**2
    if log_weights is None:
        log_weights = x_t.new_full((1, len(centres)), -math.log(len(centres)))
    square = (x_t[:, None] - alpha[:, None, None] * centres).square().sum(-1)
    logits = log_weights - 0.5 * square / variance[:, None]
    return torch.logsumexp(logits, -1) - 0.5 * x_t.shape[1] * variance.log()
