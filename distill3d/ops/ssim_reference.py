"""The definition of `ssim` in plain torch, differentiable by autograd in any float type.

Source: Wang et al. 2004, Image Quality Assessment: From Error Visibility to Structural Similarity, eq. 13,
with the Gaussian window of its section III: 11 px wide, of standard deviation 1.5 px. Outside the pictures is
black, as in the loss of Kerbl et al. 2023 (arXiv 2308.04079).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

REACH = 5
SIGMA_PX = 1.5
C1, C2 = 0.01**2, 0.03**2
"""(K1 L)² and (K2 L)² for pictures whose range L is 1."""


def windowed(values: Float[Tensor, "V H W C"]) -> Float[Tensor, "V H W C"]:
    """The weighted mean over the window around each pixel."""
    offsets = torch.arange(-REACH, REACH + 1, dtype=values.dtype, device=values.device)
    weights = torch.exp(-0.5 * (offsets / SIGMA_PX) ** 2)
    weights = weights / weights.sum()
    channels = values.shape[-1]
    across = weights.expand(channels, 1, 1, -1)
    planes = conv2d(values.permute(0, 3, 1, 2), across, padding=(0, REACH), groups=channels)
    return conv2d(planes, across.mT, padding=(REACH, 0), groups=channels).permute(0, 2, 3, 1)


def similarity(a: Float[Tensor, "V H W C"], b: Float[Tensor, "V H W C"]) -> Float[Tensor, "V H W C"]:
    """See `distill3d.ops.ssim.ssim_map`."""
    broken = ~(a.isfinite() & b.isfinite())
    a, b = torch.where(broken, 0, a), torch.where(broken, 0, b)
    mean_a, mean_b = windowed(a), windowed(b)
    variance_a, variance_b = windowed(a * a) - mean_a**2, windowed(b * b) - mean_b**2
    covariance = windowed(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * covariance + C2) / (variance_a + variance_b + C2)
    return torch.where(windowed(broken.to(a)) > 0, 0, light * structure)
