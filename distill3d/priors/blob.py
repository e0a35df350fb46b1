"""The smallest prior: one Gaussian N(μ, S²) over pictures, whose score is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.mixture import posterior_mean
from distill3d.prior import Condition, Prior, noise_from_clean


@dataclass
class Blob(Prior):
    """One Gaussian: every pixel of every view is drawn around one colour. For closed-form checks."""

    red: Annotated[float, "mean red in [0, 1]"] = 0.8
    green: Annotated[float, "mean green in [0, 1]"] = 0.2
    blue: Annotated[float, "mean blue in [0, 1]"] = 0.2
    spread: Annotated[float, "S: standard deviation of a pixel, in the prior's [-1, 1] units"] = 0.5

    def noise(
        self, noisy: Float[Tensor, "B ..."], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B ..."]:
        """σ (x_t - α μ) / (α² S² + σ²)."""
        alpha, sigma = self.alpha_sigma(t)
        colour = torch.tensor([self.red, self.green, self.blue], dtype=noisy.dtype, device=noisy.device)
        centre = self.encode(colour.expand(1, *noisy.shape[1:])).flatten(1)
        clean = posterior_mean(noisy.flatten(1), centre, alpha, sigma, spread=self.spread)
        return noise_from_clean(clean.reshape(noisy.shape), noisy, alpha, sigma)
