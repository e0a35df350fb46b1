"""Noise-Free Score Distillation. Katzir et al. 2023 (arXiv 2310.17590).

    δ_C = ε_c - ε_u                                        the condition
    δ_D = ε_u             for t < 0.2                      the domain, where little noise is left in ε_u
        = ε_u - ε_neg     otherwise                        ε_neg: what bad pictures look like
    g = w(t) (δ_D + s δ_C),   w(t) = σ_t²

The noise that SDS subtracts is no use, say the authors, but only variance. For a prior with no words for bad
pictures the null prompt stands for them, and at t ≥ 0.2 only s δ_C is left, which is CSD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.guidance import check_words, negative
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Objective, within
from distill3d.prior import Condition, Prior, Question, per_picture


@dataclass
class NFSD(Objective):
    """Noise-free score distillation (Katzir 2023): a domain and a condition, and no noise to subtract."""

    PUBLISHED: ClassVar = {"guidance": 7.5, "t_first": (0.02, 0.98), "t_last": (0.02, 0.98)}
    COMPARES: ClassVar = True

    guidance: Annotated[float, "s: weight of the condition beside the domain"] = 7.5
    negative: Annotated[str | None, "words for bad pictures; by default the prior's own"] = None
    threshold: Annotated[float, "noise level under which the domain is ε_u itself"] = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        within("threshold", self.threshold)

    def check(self, prior: Prior) -> None:
        super().check(prior)
        check_words(prior, self.negative, "--method.negative")

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient; one call of the prior for all three."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        conditions = (condition, condition.without_prompt(), negative(prior, condition, self.negative))
        told, null, bad = prior.answers([Question(p.x_t, p.t, c) for c in conditions])
        little_noise = per_picture((p.t < self.threshold).to(x), x)
        domain = null - (1 - little_noise) * bad
        return per_picture(p.sigma**2, x) * (domain + self.guidance * (told - null))
