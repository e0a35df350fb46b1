"""Asynchronous Score Distillation. ScaleDreamer, Ma et al. 2024 (arXiv 2407.02040).

g = w(t) (ε̂_p(x_t; y, t) - ε_p(x_{t+Δ}; y, t + Δ)),   Δ ~ U(0, η (t - t_min)),   w(t) = σ_t²

The same noise stands in both. A higher noise level takes the place of VSD's learned model: a prior at t + Δ
errs more, as a model would that has only begun to learn. The second term is not guided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.noised import HIGHEST, noised, perturb
from distill3d.objective import Guided, within
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class ASD(Guided):
    """ScaleDreamer's asynchronous score: the prior's noise minus its own at a slightly higher level."""

    PUBLISHED: ClassVar = {"guidance": 7.5, "t_first": (0.5, 0.98), "t_last": (0.02, 0.5), "shift": 0.1}

    shift: Annotated[float, "η: by how much of t the second noise level is higher, 0 to 1"] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        within("shift", self.shift)

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient above."""
        t = self.times(moment, len(x))
        later = t + self.shift * (t - self.t_last[0]).clamp_min(0) * moment.uniform(len(x)).to(t)
        p = perturb(x, prior, t, moment)
        shifted = noised(x, p.noise, prior, later.clamp_max(HIGHEST))
        return per_picture(p.sigma**2, x) * (
            self.predicted(prior, p, condition) - prior.noise(shifted.x_t, shifted.t, condition)
        )
