"""Variational Score Distillation. ProlificDreamer, Wang et al. 2023 (arXiv 2305.16213).

g = w(t) (ε̂_p(x_t; y, t) - ε_q(x_t, t, c)),   w(t) = σ_t²

ε_q is learned from the scene's pictures, of which it knows the camera c (see fakes/). If it were exact, one
scene seen by c would be one picture, ε_q the noise that was added, and g that of SDS: `--method.fake own`.
Of several scenes (`--particles`) it is the mixture of all their pictures by c, which keeps them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Variational
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class VSD(Variational):
    """ProlificDreamer's variational score: the prior's noise minus a model's of the scene's pictures."""

    PUBLISHED: ClassVar = {
        "guidance": 7.5,
        "t_first": (0.02, 0.98),
        "t_last": (0.02, 0.5),
        "fake": "lora",
        "fake_rate": 1e-4,
    }

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient; `learn` trains q."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        return per_picture(p.sigma**2, x) * (
            self.predicted(prior, p, condition) - self.q.noise(p, prior, condition)
        )
