"""Small Gaussian scenes for the tests of splatting."""

from __future__ import annotations

import torch
from torch import Tensor

from distill3d.camera import Cameras, orbit
from tests.ops.machines import put


def gaussians(
    count: int, channels: int = 3, *, seed: int = 0, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """Means, wxyz, scales, opacities and colours of a soft ball."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, device="cpu")

    scene = [
        0.35 * normal(count, 3),
        normal(count, 4),
        0.06 * torch.exp(0.5 * normal(count, 3)),
        torch.sigmoid(normal(count)) * 0.95,
        torch.sigmoid(normal(count, channels)),
    ]
    return put(*[values.to(dtype) for values in scene])


def views(count: int, *, width: int = 40, height: int = 36) -> Cameras:
    """Cameras around the scene, at different heights."""
    azimuths = torch.arange(float(count)) * 1.7 + 0.2
    return orbit(azimuths, 0.4 * torch.sin(azimuths), width=width, height=height)
