"""f-divergences between the prior p_t and the scene's q_t, by the weight that each gives to a picture.

D_f(p‖q) = ∫ q f(r),   r = p_t / q_t,   h(r) = r² f''(r)

Moving q against E_q[h (s_q - s_p)] descends D_f at one noise level, s being the scores (Xu et al. 2025,
f-distill, arXiv 2502.15681); h = 1 is the reverse Kullback-Leibler divergence, which VSD descends.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from distill3d.fake import Fake
from distill3d.noised import Noised
from distill3d.prior import Condition, Prior

NAMES = ("reverse_kl", "kl", "js", "hellinger", "jeffreys")
LEAST_RATIO, GREATEST_RATIO = 0.1, 20.0


def weight(divergence: str, log_r: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
    """h(r): reverse KL 1, KL r, Jensen-Shannon r / (1 + r), squared Hellinger ½√r, Jeffreys 1 + r."""
    r = log_r.exp()
    weights = {
        "reverse_kl": r**0,
        "kl": r,
        "js": log_r.sigmoid(),
        "hellinger": 0.5 * r.sqrt(),
        "jeffreys": 1 + r,
    }
    return weights[divergence]


def slope(divergence: str, log_r: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
    """The derivative of h in log r, which is r h'(r)."""
    r = log_r.exp()
    slopes = {
        "reverse_kl": 0 * r,
        "kl": r,
        "js": log_r.sigmoid() * (-log_r).sigmoid(),
        "hellinger": 0.25 * r.sqrt(),
        "jeffreys": r,
    }
    return slopes[divergence]


def log_ratio(
    prior: Prior, q: Fake, p: Noised, condition: Condition, softness: float | None
) -> Float[Tensor, "B"]:
    """Log (p_t / q_t) of each noised picture, divided by `softness`; by default by the size of a picture.

    Densities of pictures differ by hundreds of nats, and their ratio would be 0 or endless; divided by the
    count of numbers in a picture it is that of a typical one of them.
    """
    size = p.x_t[0].numel() if softness is None else softness
    return (prior.log_density(p.x_t, p.t, condition) - q.log_density(p, prior, condition)) / size
