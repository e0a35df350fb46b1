"""Score Jacobian Chaining. Wang et al. 2022 (arXiv 2212.00774).

In variance-exploding coordinates y = x + σ n, where the denoiser is D(y; σ) = y - σ ε̂:

    score at x  ≈  E_n [(D(x + σ n; σ) - x) / σ²],   g = -(D - x) / σ

The paper's σ is σ_t / α_t here, and D the clean picture. What is subtracted is x and not y, which lowers the
variance; g is then ε̂ - n, the residual of SDS with a constant weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Guided
from distill3d.prior import Condition, Prior, clean_from_noise, per_picture


@dataclass
class SJC(Guided):
    """Score Jacobian chaining (Wang 2022): the denoised picture minus the picture, over the noise level."""

    PUBLISHED: ClassVar = {"guidance": 100.0, "t_first": (0.01, 0.97), "t_last": (0.01, 0.97)}

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """-(D - x) / σ of the file's first lines."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        denoised = clean_from_noise(self.predicted(prior, p, condition), p.x_t, p.alpha, p.sigma)
        return per_picture(p.alpha / p.sigma, x) * (x - denoised)
