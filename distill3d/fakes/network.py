"""A small network of its own that knows the camera: it learns what the scene looks like from where.

Pictures [B, H, W, C] go through convolutions, down to a quarter and up again where they are large enough;
the noise level and the camera scale and shift the channels. The network speaks v = α ε - σ x, of which it
gives ε = α v + σ x_t, and begins at v = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from distill3d.fakes._learned import Learned
from distill3d.prior import Condition, Prior, per_picture

WIDTH = 32
SMALLEST_FOR_LEVELS = 8  # pixels; smaller pictures are not shrunk
FREQUENCIES = 8


@dataclass
class Network(Learned):
    """A small camera-conditioned network, trained on the scene's pictures as they come."""

    def model_for(self, x: Float[Tensor, "B H W C"], prior: Prior) -> nn.Module:
        levels = 2 if min(x.shape[1:3]) >= SMALLEST_FOR_LEVELS else 0
        return Denoiser(x.shape[-1], levels, prior).to(x.device)


class Denoiser(nn.Module):
    """The network: predicts ε from noised pictures, their noise level and their cameras."""

    def __init__(self, channels: int, levels: int, prior: Prior) -> None:
        super().__init__()
        self._alpha_sigma = prior.alpha_sigma
        self.told = nn.Sequential(
            nn.Linear(2 * FREQUENCIES + 13, 4 * WIDTH), nn.SiLU(), nn.Linear(4 * WIDTH, 4 * WIDTH)
        )
        self.enter = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.down = nn.ModuleList(_Block(4 * WIDTH, stride=2) for _ in range(levels))
        self.middle = nn.ModuleList(_Block(4 * WIDTH) for _ in range(2))
        self.up = nn.ModuleList(_Block(4 * WIDTH) for _ in range(levels))
        self.leave = nn.Conv2d(WIDTH, channels, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(
        self, noisy: Float[Tensor, "B H W C"], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B H W C"]:
        alpha, sigma = self._alpha_sigma(t)
        told = self.told(torch.cat([_waves(alpha, sigma), _poses(condition, noisy)], -1))
        h = self.enter(noisy.permute(0, 3, 1, 2))
        kept = []
        for block in self.down:
            kept.append(h)
            h = block(h, told)
        for block in self.middle:
            h = block(h, told)
        for block, skipped in zip(self.up, reversed(kept), strict=True):
            h = block(interpolate(h, skipped.shape[-2:]) + skipped, told)
        v = self.leave(silu(h)).permute(0, 2, 3, 1)
        return per_picture(alpha, noisy) * v + per_picture(sigma, noisy) * noisy


class _Block(nn.Module):
    """Two convolutions; between them the noise level and the camera scale and shift the channels."""

    def __init__(self, told: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(WIDTH, WIDTH, 3, stride, padding=1)
        self.second = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.scale_shift = nn.Linear(told, 2 * WIDTH)
        self.stride = stride

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        inner = self.first(silu(h))
        scale, shift = self.scale_shift(told)[..., None, None].chunk(2, 1)
        inner = self.second(silu(inner * (1 + scale) + shift))
        return inner if self.stride > 1 else h + inner


def _waves(alpha: Float[Tensor, "B"], sigma: Float[Tensor, "B"]) -> Float[Tensor, "B F"]:
    """Sines and cosines of the noise level's angle atan2(σ, α), which the cosine schedule makes even."""
    angle = torch.atan2(sigma, alpha)[:, None] * 2.0 ** torch.arange(FREQUENCIES, device=alpha.device)
    return torch.cat([angle.sin(), angle.cos()], -1)


def _poses(condition: Condition, like: Tensor) -> Float[Tensor, "B 13"]:
    """World to camera, and a 1 for "known"; zeros where the camera is not known."""
    if condition.cameras is None:
        return like.new_zeros(len(like), 13)
    pose = condition.cameras.world_to_camera[:, :3].flatten(1).to(like) / math.sqrt(3)
    return torch.cat([pose, pose.new_ones(len(pose), 1)], -1)
