"""Balanced Score Distillation. After PlacidDreamer, Huang et al. 2024 (arXiv 2407.13976).

Two aims may pull against each other: to be like the prompt, C, and to look like a picture at all, S.

    C = k (ε_c - ε_u),   S = ε_u
    g = w(t) (κ C + (1 - κ) S),   κ = clip(⟨S - C, S⟩ / ‖S - C‖², 0, 1),   w = α_t

The shortest vector between both never worsens either (multiple-gradient descent). Written from the equations
of the authors' program, where the ratio k is a constant; S is not zero at the prior's mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.combine import minimum_norm
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Objective
from distill3d.prior import Condition, Prior, per_picture, told_and_null


@dataclass
class BSD(Objective):
    """PlacidDreamer's balanced score: a step that worsens neither the prompt nor the picture."""

    PUBLISHED: ClassVar = {"guidance": 18.0, "t_first": (0.02, 0.98), "t_last": (0.02, 0.5)}
    COMPARES: ClassVar = True

    guidance: Annotated[float, "k: weight of the prompt beside the picture"] = 7.5

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The minimum-norm point of the two directions."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        told, null = told_and_null(prior, p.x_t, p.t, condition)
        return per_picture(p.alpha, x) * minimum_norm(self.guidance * (told - null), null)
