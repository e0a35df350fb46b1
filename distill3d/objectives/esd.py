"""Entropic Score Distillation.

Wang et al. 2024, "Taming Mode Collapse in Score Distillation" (arXiv 2401.00909), equation 12:

    g = w(t) (ε̂_p(x_t; y, t) - λ ε_q(x_t, t) - (1 - λ) ε_q(x_t, t, c)),   w(t) = σ_t²

ε_q is the noise prediction of the scene's own pictures. Without the camera c it keeps the entropy of their
marginal up, so that one favourite view cannot take over all cameras. The paper fits a network to it; here the
default is the exact marginal of the scene's recent pictures (see fakes/own.py), with which the term with
camera is the noise ε that was added, and λ = 0 is SDS. With a learned q, λ = 0 is VSD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Variational, within
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class ESD(Variational):
    """Entropic score distillation (Wang 2024): keeps the entropy of the scene over cameras up."""

    PUBLISHED: ClassVar = {
        "guidance": 7.5,
        "t_first": (0.02, 0.98),
        "t_last": (0.02, 0.5),
        "entropy": 0.5,
        "fake": "lora",
        "fake_rate": 1e-4,
    }

    fake: Annotated[str, "q, the model of the scene's own pictures: own, network or lora"] = "own"
    entropy: Annotated[float, "λ: weight of the camera-free score; 0 is without, 1 full entropy"] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        within("entropy", self.entropy)

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """Equation 12; a term of no weight is not asked for."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        d = self.predicted(prior, p, condition)
        if self.entropy > 0:
            d = d - self.entropy * self.q.noise(p, prior, condition.without_cameras())
        if self.entropy < 1:
            d = d - (1 - self.entropy) * self.q.noise(p, prior, condition)
        return per_picture(p.sigma**2, x) * d
