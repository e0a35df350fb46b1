"""Entropic Score Distillation.

Wang et al. 2024, "Taming Mode Collapse in Score Distillation" (arXiv 2401.00909), equation 12:

    g = w(t) (ε̂_p(x_t; y, t) - λ ε_q(x_t, t) - (1 - λ) ε),   w(t) = σ_t²

ε_q is the noise prediction of the scene's own pictures, whatever their camera: the term keeps the entropy of
that marginal up, so that one favourite view cannot take over all cameras. The paper fits a network to it.
Here it is exactly that of the scene's recent pictures g_k, whose noised marginal is a mixture of Gaussians:

    ε_q = (x_t - α Σ_k π_k g_k) / σ,   π = softmax_k(-‖x_t - α g_k‖² / 2σ²)

With camera the marginal is the picture itself, whose prediction is ε: hence the last term. λ = 0 is SDS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.mixture import posterior_mean
from distill3d.moment import Moment
from distill3d.noised import Noised, perturb
from distill3d.objective import Objective
from distill3d.prior import Condition, Prior, guided, noise_from_clean, per_picture
from distill3d.rendering import Rendering, concatenate


@dataclass
class ESD(Objective):
    """Entropic score distillation without a network: its marginal is the scene's own recent pictures."""

    entropy: Annotated[float, "λ: weight of the camera-free score; 0 is SDS, 1 full entropy"] = 1.0
    memory: Annotated[int, "how many of the scene's latest pictures stand for its marginal"] = 64

    def __post_init__(self) -> None:
        self.recent: Rendering | None = None

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """Equation 12 with the exact marginal of the remembered pictures."""
        p = perturb(x, prior, self.times(moment, len(x)), moment)
        predicted = guided(prior, p.x_t, p.t, condition, self.scale(prior))
        camera_free = self._marginal_noise(p, prior, condition)
        return per_picture(p.sigma**2, x) * (
            predicted - self.entropy * camera_free - (1 - self.entropy) * p.noise
        )

    def _marginal_noise(self, p: Noised, prior: Prior, condition: Condition) -> Tensor:
        """ε_q: for each distinct background, the recent pictures in front of it are the mixture."""
        if self.recent is None:
            raise RuntimeError(
                "ESD.gradient before ESD.learn: there are no pictures yet to take a marginal from"
            )
        clean = torch.empty_like(p.x_t)
        for rows in condition.same_background(len(clean)):
            pictures = prior.show(self.recent, condition[rows[:1]]).flatten(1)
            mean = posterior_mean(p.x_t[rows].flatten(1), pictures, p.alpha[rows], p.sigma[rows])
            clean[rows] = mean.reshape(clean[rows].shape)
        return noise_from_clean(clean, p.x_t, p.alpha, p.sigma)

    def learn(self, rendering: Rendering, prior: Prior, condition: Condition, moment: Moment) -> None:
        """Remember the latest pictures; what stands in front of a background can be moved to another.

        When pictures change their size, those of the old one are forgotten.
        """
        latest = Rendering(rendering.rgb.detach(), rendering.alpha.detach())
        if self.recent is not None and self.recent.rgb.shape[1:] == latest.rgb.shape[1:]:
            latest = concatenate([self.recent, latest])
        self.recent = latest[-self.memory :]

    def state_dict(self) -> dict[str, Any]:
        return {} if self.recent is None else {"rgb": self.recent.rgb, "alpha": self.recent.alpha}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.recent = Rendering(state["rgb"], state["alpha"]) if state else None
