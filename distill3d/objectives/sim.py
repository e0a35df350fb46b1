"""Score Implicit Matching. Luo et al. 2024 (arXiv 2410.16794); in 3-D after Dive3D (arXiv 2506.13594).

Makes E_q[d(s_p - s_q)] small, s being the scores of the prior and of the scene's pictures, and d the
pseudo-Huber distance √(‖y‖² + c²) - c. By the score projection identity its gradient is that of

    w(t) ⟨d'(ε_q - ε_p), ε - ε_q⟩ (x_t),   x_t = α x + σ ε,   d'(y) = y / √(‖y‖² + c²),   w(t) = σ_t²

through x_t, with both models held fixed. It goes through the prior's network: twice its memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.combine import dot, robust
from distill3d.moment import Moment
from distill3d.noised import noised
from distill3d.objective import Variational
from distill3d.prior import Condition, Prior


@dataclass
class SIM(Variational):
    """Score implicit matching (Luo 2024): a robust distance between scores, through the prior."""

    PUBLISHED: ClassVar = {"t_first": (0.02, 0.98), "t_last": (0.02, 0.98)}

    c: Annotated[float, "residual over which the distance grows linearly, in noise over all of a picture"] = (
        1.0
    )

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The derivative of that product in x."""
        t, noise = self.times(moment, len(x)), moment.normal(*x.shape).to(x)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            p = noised(x, noise, prior, t)
            of_scene = self.q.noise(p, prior, condition)
            y = of_scene - self.predicted(prior, p, condition)
            product = (p.sigma**2 * dot(robust(y, self.c), p.noise - of_scene)).sum()
            (g,) = torch.autograd.grad(product, x)
        return g
