"""Expanded f-divergences. After Uni-Instruct, Wang et al. 2025 (arXiv 2505.20755).

A divergence D_f between clean pictures is the integral over noise levels of ½ E_q[h(r) ‖Δ‖²], with the
scores' difference Δ = s_p - s_q, the ratio r = p_t / q_t and h(r) = r² f''(r). Of the paper the abstract was
read. The gradient of the integrand follows from the score projection identity: it is that of

    ½ (h - r h') ‖Δ‖² + h ⟨Δ, s_q - s(x_t | x)⟩   at   x_t = α x + σ ε

through x_t, all functions held fixed. With s = -ε/σ this is, times σ² and the weight w(t) = σ_t²,

    ½ (h - r h') ‖ε_q - ε_p‖² + h ⟨ε_q - ε_p, ε - ε_q⟩.

h = 1 is the Fisher divergence. It goes through the prior, and needs densities that are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.combine import dot
from distill3d.divergence import log_ratio, slope, weight
from distill3d.moment import Moment
from distill3d.noised import noised
from distill3d.objective import Variational
from distill3d.prior import Condition, Prior


@dataclass
class Uni(Variational):
    """After Uni-Instruct: an f-divergence of clean pictures, as weighted Fisher terms, through the prior."""

    PUBLISHED: ClassVar = {"t_first": (0.02, 0.98), "t_last": (0.02, 0.8)}

    fake: Annotated[str, "q, the model of the scene's own pictures: only own has a density"] = "own"
    divergence: Annotated[
        Literal["reverse_kl", "kl", "js", "hellinger", "jeffreys"], "which f-divergence is made small"
    ] = "js"
    softness: Annotated[
        float | None, "what log r is divided by; by default how many numbers a picture has"
    ] = None

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The derivative of that sum in x."""
        t, noise = self.times(moment, len(x)), moment.normal(*x.shape).to(x)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            p = noised(x, noise, prior, t)
            log_r = log_ratio(prior, self.q, p, condition, self.softness)
            h, rest = weight(self.divergence, log_r), slope(self.divergence, log_r)
            of_scene = self.q.noise(p, prior, condition)
            y = of_scene - self.predicted(prior, p, condition)
            fisher, matching = 0.5 * (h - rest) * dot(y, y), h * dot(y, p.noise - of_scene)
            (g,) = torch.autograd.grad((p.sigma**2 * (fisher + matching)).sum(), x)
        return g
