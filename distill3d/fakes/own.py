"""The scene's own pictures as their exact distribution: no network, nothing to train.

Whatever their camera, the scene's latest pictures g_k make, noised, a mixture of Gaussians:

    ε_q = (x_t - α Σ_k π_k g_k) / σ,   π = softmax_k(-‖x_t - α g_k‖² / 2σ²)

By one camera a scene has one picture, so that the prediction is the very noise that was added to it. A method
that asks for that alone is SDS (for one scene); what asks for the mixture keeps its pictures apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.fake import Fake
from distill3d.mixture import log_density, posterior_mean
from distill3d.moment import Moment
from distill3d.noised import Noised
from distill3d.prior import Condition, Prior, noise_from_clean, per_picture
from distill3d.rendering import Rendering, concatenate


@dataclass
class Own(Fake):
    """The scene's latest pictures themselves, exactly and without a network."""

    def __post_init__(self) -> None:
        self.recent: Rendering | None = None

    def learn(self, rendering: Rendering, prior: Prior, condition: Condition, moment: Moment) -> None:
        """Remember the latest pictures; what stands in front of a background can be moved to another.

        When pictures change their size, those of the old one are forgotten.
        """
        latest = Rendering(rendering.rgb.detach(), rendering.alpha.detach())
        if self.recent is not None and self.recent.rgb.shape[1:] == latest.rgb.shape[1:]:
            latest = concatenate([self.recent, latest])
        self.recent = latest[-self.memory :]

    def noise(self, p: Noised, prior: Prior, condition: Condition) -> Float[Tensor, "B ..."]:
        """ε_q; by a camera it is (x_t - α g) / σ of the very picture, which is the noise that was added."""
        if condition.cameras is not None:
            return p.noise + (p.x_t - p.x_t.detach()) / per_picture(p.sigma, p.x_t)
        x_t = p.x_t.flatten(1)
        clean = torch.empty_like(x_t)
        for rows in condition.same_background(len(x_t)):
            pictures = self._pictures(prior, condition[rows[:1]])
            mean = posterior_mean(x_t[rows], pictures, p.alpha[rows], p.sigma[rows])
            clean = clean.index_copy(0, rows.to(clean.device), mean)
        return noise_from_clean(clean.reshape(p.x_t.shape), p.x_t, p.alpha, p.sigma)

    def log_density(self, p: Noised, prior: Prior, condition: Condition) -> Float[Tensor, "B"]:
        x_t = p.x_t.flatten(1)
        if condition.cameras is not None:
            return -0.5 * p.noise.flatten(1).square().sum(-1) - x_t.shape[1] * p.sigma.log()
        found = torch.empty_like(x_t[:, 0])
        for rows in condition.same_background(len(x_t)):
            pictures = self._pictures(prior, condition[rows[:1]])
            there = log_density(x_t[rows], pictures, p.alpha[rows], p.sigma[rows])
            found = found.index_copy(0, rows.to(found.device), there)
        return found

    def _pictures(self, prior: Prior, condition: Condition) -> Float[Tensor, "K D"]:
        """What is remembered, in front of the condition's background."""
        if self.recent is None:
            raise RuntimeError(
                "a noise was asked of the scene's own pictures before it was shown any: learn() comes first"
            )
        return prior.show(self.recent, condition).flatten(1)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.recent is None else {"rgb": self.recent.rgb, "alpha": self.recent.alpha}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.recent = Rendering(state["rgb"], state["alpha"]) if state else None
