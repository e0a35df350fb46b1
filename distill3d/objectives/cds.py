"""Consistency Distillation Sampling. Consistent3D, Wu et al. 2024 (arXiv 2401.09050).

    x_s = one step of the deterministic ODE from x_t down to s < t
    g = w(t) (ε̂(x_t; y, t) - ε̂(x_s; y, s)),   w = σ_t²

Both points lie on one trajectory, whose predictions a sample of the prior would agree on. The noise is one
and the same for the whole run, so that the trajectories stay. The lower level goes from 0.7 to 0.1 with the
square root of progress, and t is 0.1 to 0.3 above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.noised import HIGHEST, Noised, noised, step
from distill3d.objective import Guided, flag
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class CDS(Guided):
    """Consistent3D's consistency: the prior's noise minus its own one ODE step down, under a fixed noise."""

    PUBLISHED: ClassVar = {"guidance": 100.0}

    t_first: Annotated[tuple[float, float], "the lower noise level at the first step, low and high"] = (
        0.7,
        0.7,
    )
    t_last: Annotated[tuple[float, float], "the lower noise level at the last step, low and high"] = (
        0.1,
        0.1,
    )
    gap: Annotated[tuple[float, float], "how far above it the upper level is, low and high"] = (0.1, 0.3)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.gap[0] <= self.gap[1] <= 1:
            raise ValueError(
                f"{flag('gap')} is {self.gap[0]:g} {self.gap[1]:g}; expected two numbers over "
                "0, the lower one first"
            )
        self.noise: Tensor | None = None

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient, along the ODE of the guided prior."""
        if self.noise is None or self.noise.shape != x.shape[1:]:
            self.noise = moment.normal(*x.shape[1:])
        s = self.times(moment, len(x))
        t = s + self.gap[0] + (self.gap[1] - self.gap[0]) * moment.uniform(len(x))
        t = t.clamp_max(HIGHEST)
        upper = noised(x, self.noise.to(x).expand(x.shape), prior, t)
        at_t = self.predicted(prior, upper, condition)
        alpha, sigma = prior.alpha_sigma(s)
        lower = Noised(step(upper.x_t, at_t, prior, t, s), upper.noise, s, alpha, sigma)
        return per_picture(upper.sigma**2, x) * (at_t - self.predicted(prior, lower, condition))

    def times(self, moment: Moment, count: int) -> Float[Tensor, "B"]:
        """The lower levels s, in a window that goes down with the square root of progress."""
        low = moment.between_root(self.t_first[0], self.t_last[0])
        high = moment.between_root(self.t_first[1], self.t_last[1])
        return low + (high - low) * moment.uniform(count)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.noise is None else {"noise": self.noise}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.noise = state.get("noise")
