"""Score Distillation Sampling. DreamFusion, Poole et al. 2022 (arXiv 2209.14988), equation 3.

g = w(t) (ε̂(x_t; y, t) - ε),   w(t) = σ_t²
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Guided
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class SDS(Guided):
    """DreamFusion's score distillation: the prior's noise minus the noise that was added."""

    PUBLISHED: ClassVar = {"guidance": 100.0, "t_first": (0.02, 0.98), "t_last": (0.02, 0.98)}

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """Equation 3, without the derivative of the U-Net."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        return per_picture(p.sigma**2, x) * (self.predicted(prior, p, condition) - p.noise)
