"""The scene's own pictures as their exact distribution: no network, nothing to train.

Whatever their camera, the scene's latest pictures g_k make, noised, a mixture of Gaussians:

    ε_q = (x_t - α Σ_k π_k g_k) / σ,   π = softmax_k(-‖x_t - α g_k‖² / 2σ²)

By one camera a scene has one picture, so that the prediction is the very noise that was added to it; of
several scenes that are made together there are as many, and the same mixture over those by that camera. A
method that asks for that alone is SDS (for one scene); what asks for the mixture keeps its pictures apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
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
        self._latest: tuple[Rendering, Cameras | None] | None = None

    def learn(self, rendering: Rendering, prior: Prior, condition: Condition, moment: Moment) -> None:
        """Remember the latest pictures; what stands in front of a background can be moved to another.

        When pictures change their size, those of the old one are forgotten.
        """
        latest = Rendering(rendering.rgb.detach(), rendering.alpha.detach())
        self._latest = latest, condition.cameras
        if self.recent is not None and self.recent.rgb.shape[1:] == latest.rgb.shape[1:]:
            latest = concatenate([self.recent, latest])
        self.recent = latest[-self.memory :]

    def noise(self, p: Noised, prior: Prior, condition: Condition) -> Float[Tensor, "B ..."]:
        """ε_q; of a camera's only picture it is (x_t - α g) / σ, the noise that was added."""
        known = self._known(condition, len(p.x_t))
        if known.alone:
            return p.noise + (p.x_t - p.x_t.detach()) / per_picture(p.sigma, p.x_t)
        x_t = p.x_t.flatten(1)
        clean = torch.empty_like(x_t)
        for rows in condition.same_background(len(x_t)):
            pictures = prior.show(known.pictures, condition[rows[:1]]).flatten(1)
            mean = posterior_mean(
                x_t[rows], pictures, p.alpha[rows], p.sigma[rows], log_weights=known.log_weights[rows]
            )
            clean = clean.index_copy(0, rows.to(clean.device), mean)
        return noise_from_clean(clean.reshape(p.x_t.shape), p.x_t, p.alpha, p.sigma)

    def log_density(self, p: Noised, prior: Prior, condition: Condition) -> Float[Tensor, "B"]:
        x_t, known = p.x_t.flatten(1), self._known(condition, len(p.x_t))
        if known.alone:
            return -0.5 * p.noise.flatten(1).square().sum(-1) - x_t.shape[1] * p.sigma.log()
        found = torch.empty_like(x_t[:, 0])
        for rows in condition.same_background(len(x_t)):
            pictures = prior.show(known.pictures, condition[rows[:1]]).flatten(1)
            there = log_density(
                x_t[rows], pictures, p.alpha[rows], p.sigma[rows], log_weights=known.log_weights[rows]
            )
            found = found.index_copy(0, rows.to(found.device), there)
        return found

    def _known(self, condition: Condition, asked_about: int) -> _Known:
        """The pictures that may be asked about: by any camera all that are remembered, or the step's own."""
        if self.recent is None or self._latest is None:
            raise RuntimeError(
                "a noise was asked of the scene's own pictures before it was shown any: learn() comes first"
            )
        latest, cameras = self._latest
        if condition.cameras is None or cameras is None:
            count = len(self.recent.rgb)
            return _Known(
                self.recent, self.recent.rgb.new_full((asked_about, count), -math.log(count)), alone=False
            )
        asked, taken = (c.world_to_camera.flatten(1) for c in (condition.cameras, cameras))
        same = (asked[:, None] == taken).all(-1)
        count = same.sum(-1, keepdim=True)
        if not count.all():
            raise RuntimeError("a noise was asked by a camera whose picture the scene's own do not hold")
        log_weights = torch.where(same, -count.log(), -torch.inf)
        return _Known(latest, log_weights, alone=bool((count == 1).all()))

    def state_dict(self) -> dict[str, Any]:
        return {} if self.recent is None else {"rgb": self.recent.rgb, "alpha": self.recent.alpha}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.recent = Rendering(state["rgb"], state["alpha"]) if state else None


@dataclass(frozen=True)
class _Known:
    """A mixture of pictures, in front of any background."""

    pictures: Rendering
    log_weights: Float[Tensor, "B K"]
    """Of each picture, in the view of each that is asked about."""
    alone: bool
    """Whether each that is asked about is itself the only one of its camera."""
