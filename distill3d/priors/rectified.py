"""The exact prior without its favourite poses.

After Zheng et al. 2025, "RecDreamer: Consistent Text-to-3D Generation via Uniform Score Distillation" (ICLR):
what a prior p(x|y) shows is weighed so that every pose c is as likely as it should be, u(c),

    p̃(x|y) ∝ p(x|y) r(c(x)),   r(c) = u(c) / p(c|y)

so that with a classifier of poses in noisy pictures its noise is ε̃ = ε - σ ∇ log Σ_c p(c|x_t, y) r(c). The
closed world knows the pose of each render, and the sum is then one over renders: the mixture's weights are
multiplied by r, and the same noise needs neither a classifier nor its gradient, nor an estimate of p(c|y).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.camera import Cameras, azimuth_elevation
from distill3d.prior import Condition
from distill3d.priors.exact import Exact
from distill3d.world.bank import Bank

POSES = 12  # arcs of azimuth, the first one around the front


@dataclass
class Rectified(Exact):
    """The exact prior, weighed so that no pose is its favourite (RecDreamer's uniform score)."""

    rectify: Annotated[float, "how far poses are made equally likely: 0 not at all, 1 wholly"] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.rectify <= 1:
            raise ValueError(f"prior.rectify is {self.rectify:g}; expected a number from 0 to 1")

    def _log_weights(self, bank: Bank, condition: Condition) -> Float[Tensor, "#B K"]:
        """Log π + log r(c), up to a constant; what the prior never shows stays unseen."""
        log_weights = super()._log_weights(bank, condition)
        poses = poses_of(bank.cameras)
        stand = torch.bincount(poses, minlength=POSES) / len(poses)
        shown = log_weights.new_zeros(len(log_weights), POSES).index_add(1, poses, log_weights.softmax(-1))
        seen = shown > 0
        log_r = torch.where(seen, stand / torch.where(seen, shown, 1), 1).log()
        return log_weights + self.rectify * log_r[:, poses]


def poses_of(cameras: Cameras) -> Int[Tensor, " K"]:
    """The arc in which each camera stands, 0 to POSES - 1; u(c) is the share of the cameras in c."""
    azimuths, _ = azimuth_elevation(cameras)
    return torch.round(azimuths * (POSES / (2 * math.pi))).long() % POSES
