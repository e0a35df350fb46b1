"""Classifier Score Distillation. Yu et al. 2023 (arXiv 2310.19415).

g = w(t) (ε_c - n ε_neg - (1 - n) ε_u),   w(t) = σ_t²

What is left of SDS when guidance is endless: the derivative of an implicit classifier, ε_c - ε_u. A negative
prompt takes the place of the null prompt by the share n, which goes from 1 to ½ over the run. For a prior
with no words for bad pictures both are the null prompt.
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
class CSD(Objective):
    """Classifier score distillation (Yu 2023): the direction of guidance alone."""

    PUBLISHED: ClassVar = {"t_first": (0.02, 0.98), "t_last": (0.02, 0.5)}
    COMPARES: ClassVar = True

    negative: Annotated[str | None, "words for bad pictures; by default the prior's own"] = None
    share: Annotated[
        tuple[float, float], "n: share of the negative prompt, at the first step and the last"
    ] = (1.0, 0.5)

    def __post_init__(self) -> None:
        super().__post_init__()
        for n in self.share:
            within("share", n)

    def check(self, prior: Prior) -> None:
        super().check(prior)
        check_words(prior, self.negative, "--method.negative")

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient; one call of the prior for all three."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        conditions = (condition, negative(prior, condition, self.negative), condition.without_prompt())
        told, bad, null = prior.answers([Question(p.x_t, p.t, c) for c in conditions])
        n = moment.between(*self.share)
        return per_picture(p.sigma**2, x) * (told - n * bad - (1 - n) * null)
