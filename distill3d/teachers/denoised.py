"""A teacher that paints over: pictures are noised, denoised step by step, and are what the scene learns.

Tang et al. 2023, "DreamGaussian" (arXiv 2309.16653), equation 7, after Meng et al. 2021, SDEdit (arXiv
2108.01073):

    x̂ = denoise(α x + σ ε, t)          L = ½ ‖x - x̂‖²

t falls over the run. A step of denoising is one of DDIM's along the guided noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.distill import Loss
from distill3d.moment import Moment
from distill3d.noised import LOWEST, perturb, step
from distill3d.objective import descend
from distill3d.prior import Condition, Prior, clean_from_noise, guided
from distill3d.rendering import Rendering


@dataclass
class Denoised:
    """Pictures of `prompt` by `prior`, from those of the student."""

    prior: Prior
    prompt: str
    t_first: float = 0.8
    """The noise level at the first step; at the last it is `t_last`."""
    t_last: float = 0.5
    hops: int = 5
    """Steps of the denoising."""

    def __call__(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Loss:
        white = rendering.rgb.new_ones(len(cameras), 3)
        condition = self.prior.condition(self.prompt, cameras, white)
        x = self.prior.show(rendering, condition)
        with torch.no_grad():
            aim = self.denoised(x.detach(), condition, moment)
        apart = x.detach() - aim
        return Loss(descend(x, apart) / len(x), {"apart": apart.square().mean().sqrt()})

    def denoised(
        self, x: Float[Tensor, "B ..."], condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """x̂, from the noise level of this moment down."""
        t = torch.full((len(x),), moment.between(self.t_first, self.t_last)).to(x)
        p = perturb(x, self.prior, t, moment)
        x_t, levels = p.x_t, [t + (LOWEST - t) * k / self.hops for k in range(self.hops + 1)]
        for k in range(self.hops):
            noise = guided(self.prior, x_t, levels[k], condition, self.prior.guidance_scale)
            x_t = step(x_t, noise, self.prior, levels[k], levels[k + 1])
        noise = guided(self.prior, x_t, levels[-1], condition, self.prior.guidance_scale)
        return clean_from_noise(noise, x_t, *self.prior.alpha_sigma(levels[-1]))

    def state_dict(self) -> dict[str, Any]:
        """Nothing is remembered."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `state_dict`."""
