"""VSD for any f-divergence. f-distill, Xu et al. 2025 (arXiv 2502.15681).

g = w(t) h(r) (ε̂_p(x_t; y, t) - ε_q(x_t, t, c)),   r = p_t / q_t,   h(r) = r² f''(r),   w(t) = σ_t²

h weighs pictures by how likely the prior finds them (see divergence.py): a forward KL divergence covers all
modes, the reverse one, h = 1, is VSD. r is held to [0.1, 20] and h scaled to a mean of 1, as in the paper,
which learns r with a discriminator. Here it comes from densities that are known: that of the exact prior, and
that of the scene's own pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from distill3d.divergence import GREATEST_RATIO, LEAST_RATIO, log_ratio, weight
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Variational
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class FVSD(Variational):
    """Variational score for any f-divergence (f-distill): pictures weighed by their density ratio."""

    PUBLISHED: ClassVar = {"t_first": (0.02, 0.98), "t_last": (0.02, 0.98), "divergence": "js"}

    fake: Annotated[str, "q, the model of the scene's own pictures: only own has a density"] = "own"
    divergence: Annotated[
        Literal["reverse_kl", "kl", "js", "hellinger", "jeffreys"], "which f-divergence is made small"
    ] = "js"
    softness: Annotated[
        float | None, "what log r is divided by; by default how many numbers a picture has"
    ] = None

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient above."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        log_r = log_ratio(prior, self.q, p, condition, self.softness)
        h = weight(self.divergence, log_r.clamp(math.log(LEAST_RATIO), math.log(GREATEST_RATIO)))
        d = self.predicted(prior, p, condition) - self.q.noise(p, prior, condition)
        return per_picture(p.sigma**2 * h / h.mean(), x) * d
