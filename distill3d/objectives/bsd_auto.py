"""Balanced Score Distillation without a ratio to choose. After PlacidDreamer, Huang et al. 2024 (arXiv
2407.13976).

The balance of bsd.py, with the noise that was added taken off the second aim:

    C = ε_c - ε_u,   S = 1.25 (ε_u - ε)
    g = w(t) (κ C + (1 - κ) S),   κ = clip(⟨S - C, S⟩ / ‖S - C‖², 0, 1),   w = ‖ε_u - ε‖ σ_t / 50

Written from the equations of the authors' program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.combine import dot, minimum_norm
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Objective
from distill3d.prior import Condition, Prior, per_picture, told_and_null


@dataclass
class BSDAuto(Objective):
    """PlacidDreamer's balanced score with the noise subtracted, and no ratio to choose."""

    PUBLISHED: ClassVar = {"t_first": (0.02, 0.98), "t_last": (0.02, 0.5)}
    COMPARES: ClassVar = True

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The minimum-norm point of the two directions."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        told, null = told_and_null(prior, p.x_t, p.t, condition)
        residual = null - p.noise
        w = p.sigma * dot(residual, residual).sqrt() / 50
        return per_picture(w, x) * minimum_norm(told - null, 1.25 * residual)
