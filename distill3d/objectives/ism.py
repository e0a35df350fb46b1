"""Interval Score Matching. LucidDreamer, Liang et al. 2023 (arXiv 2311.11284).

    x_s from x by DDIM inversion with the null prompt, x_t by one step more, of length δ
    g = w(t) (ε̂(x_t; y, t) - ε_u(x_s, s)),   w(t) = σ_t / α_t

Both points lie on one trajectory without randomness, so that the direction is the same each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.noised import LOWEST, Noised, inverted, step
from distill3d.objective import Guided, at_least_one, within
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class ISM(Guided):
    """LucidDreamer's interval score: prompted noise minus unprompted, a step apart on an inverted path."""

    PUBLISHED: ClassVar = {"guidance": 7.5, "t_first": (0.02, 0.98), "t_last": (0.02, 0.5)}
    COMPARES: ClassVar = True

    interval: Annotated[tuple[float, float], "δ at the first step and at the last"] = (0.1, 0.05)
    hops: Annotated[int, "steps of the inversion"] = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one("hops", self.hops)
        for length in self.interval:
            within("interval", length, 1e-3, 0.9)

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient above."""
        t = self.times(moment, len(x))
        s = (t - moment.between(*self.interval)).clamp_min(LOWEST)
        null = condition.without_prompt()
        lower = inverted(x, prior, condition, s, steps=self.hops, guidance=0.0)
        at_s = prior.noise(lower.x_t, s, null)
        alpha, sigma = prior.alpha_sigma(t)
        upper = Noised(step(lower.x_t, at_s, prior, s, t), at_s, t, alpha, sigma)
        return per_picture(sigma / alpha, x) * (self.predicted(prior, upper, condition) - at_s)
