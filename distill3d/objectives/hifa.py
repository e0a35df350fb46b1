"""HiFA. Zhu et al. 2023 (arXiv 2305.18766).

    g = w(t) (ε̂(x_t; y, t) - ε) + λ (α_t / σ_t) w(t) (x - x̂_0),   w(t) = σ_t²
    t = t_max - (t_max - t_min) √progress, one for all pictures

x̂_0 is the clean picture seen in x_t. The paper takes it in the space of pixels beside that of latents; for a
prior of pixels, where both are the same, the second term adds λ times the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Guided
from distill3d.prior import Condition, Prior, clean_from_noise, per_picture


@dataclass
class HiFA(Guided):
    """HiFA: one noise level that falls with the root of progress, and a loss on the clean picture too."""

    PUBLISHED: ClassVar = {"guidance": 100.0}

    t_first: Annotated[tuple[float, float], "noise levels drawn at the first step, low and high"] = (
        0.98,
        0.98,
    )
    t_last: Annotated[tuple[float, float], "noise levels drawn at the last step, low and high"] = (0.3, 0.3)
    clean: Annotated[float, "λ: weight of the loss on the clean picture"] = 0.01

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient, in the prior's own space."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        predicted = self.predicted(prior, p, condition)
        clean = clean_from_noise(predicted, p.x_t, p.alpha, p.sigma)
        of_clean = self.clean * per_picture(p.alpha / p.sigma, x) * (x - clean)
        return per_picture(p.sigma**2, x) * (predicted - p.noise + of_clean)

    def times(self, moment: Moment, count: int) -> Float[Tensor, "B"]:
        """Noise levels in a window that goes down with the square root of progress."""
        low = moment.between_root(self.t_first[0], self.t_last[0])
        high = moment.between_root(self.t_first[1], self.t_last[1])
        return low + (high - low) * moment.uniform(count)
