"""Category-Score Distillation Sampling. After Sparse3D, Zou et al. 2023 (arXiv 2308.14078).

g = w(t) (ε̂(x_t; y, t) - ε(x_t; category, t)),   w(t) = σ_t²

The prior told of the object, minus the prior told of no more than its category, where VSD has a learned
model. The paper's text was not read; there the first prior sees the input photographs, which no prior here
does yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.guidance import check_words
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Guided
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class CSDS(Guided):
    """After Sparse3D: the prior told of the object minus the prior told of its category only."""

    PUBLISHED: ClassVar = {"guidance": 7.5, "t_first": (0.02, 0.98), "t_last": (0.02, 0.98)}

    guidance: Annotated[float | None, "classifier-free guidance scale of the object's score"] = 7.5
    category: Annotated[str | None, "the category in words; by default the last word before a comma"] = None

    def check(self, prior: Prior) -> None:
        super().check(prior)
        check_words(prior, self.category, "--method.category")

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """Both predictions at one noised picture."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        of_category = prior.noise(p.x_t, p.t, condition.saying(self._category(condition.prompt)))
        return per_picture(p.sigma**2, x) * (self.predicted(prior, p, condition) - of_category)

    def _category(self, prompt: str | None) -> str | None:
        return (
            self.category if self.category is not None or prompt is None else prompt.split(",")[0].split()[-1]
        )
