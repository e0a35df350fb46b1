"""Jensen-Shannon score distillation. After Do et al. 2025 (arXiv 2503.10660).

    ℓ = (‖ε_q - ε‖² - ‖ε_p - ε‖²) / 2 D                 log odds of "from the prior" against "from the scene"
    g = w(t) sigmoid(ℓ) (ε̂_p(x_t; y, t) - ε_q(x_t, t, c)),   w(t) = σ_t²

The Jensen-Shannon divergence is bounded where that of Kullback-Leibler is not: pictures that the prior
cannot believe count little. Of the paper the abstract was read, which names a log-odds classifier made from
the prior, and "minority sampling" to estimate the gradient. Inferred from it: the weight r / (1 + r) of that
divergence, with log r from the errors of both predictions of the noise, averaged over the D numbers of a
picture; and as control variate the scene's own residual, whose mean over the noise is zero for an exact q:

    g = w(t) (sigmoid(ℓ) (ε̂_p - ε_q) + c (ε_q - ε))

It is off by default, since q here is either exact, where the term is zero itself, or learned, and then not
without a mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.combine import dot
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Variational
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class JSDJS(Variational):
    """After Jensen-Shannon score distillation (Do 2025): a bounded divergence in place of VSD's."""

    PUBLISHED: ClassVar = {"guidance": 7.5, "t_first": (0.02, 0.98), "t_last": (0.02, 0.5)}

    variate: Annotated[float, "c: weight of the control variate ε_q - ε; 0 is without"] = 0.0

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient above."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        of_prior, of_scene = self.predicted(prior, p, condition), self.q.noise(p, prior, condition)
        wrong_prior, wrong_scene = of_prior - p.noise, of_scene - p.noise
        odds = (dot(wrong_scene, wrong_scene) - dot(wrong_prior, wrong_prior)) / (2 * x[0].numel())
        weighed = per_picture(odds.sigmoid(), x) * (of_prior - of_scene)
        return per_picture(p.sigma**2, x) * (weighed + self.variate * wrong_scene)
