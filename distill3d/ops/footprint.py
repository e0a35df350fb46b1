"""The parallelogram that a pixel covers in a texture, as a row of round probes along its longer axis.

The probes are McCormack et al. 1999, "Feline: Fast Elliptical Lines for Anisotropic Texture Mapping": the
ellipse's longer half axis is walked in steps as long as the shorter one, from a mip level whose texels are as
large as a step. There the number of probes is rounded; here the outermost two count for the part of a step
that they stand for, so that pictures and gradients have no jump where a probe is added.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

LONGEST = 15.0
"""Steps along the longer axis at most, an odd number of probes; footprints longer than that are blurred."""
STEEPEST = 16.0
"""Textures across a pixel, beyond which one texel is all that is left of any."""
TINY = 1e-20


def footprint(
    derivatives: Float[Tensor, "*B 2 2"], width: int, height: int, levels: int
) -> Float[Tensor, "*B 4"]:
    """Mip level of the probes, length of the longer axis in steps (1 to LONGEST), and a step in u and in v.

    `derivatives` say how u and v (last axis but one) change by pixel in x and y (last axis); NaN counts as 0.
    A step is as long as the shorter axis, and a texel of the `width` by `height` texture at least.
    Differentiable.
    """
    size = derivatives.new_tensor([[width], [height]])
    by_x, by_y = (derivatives.nan_to_num(0.0, STEEPEST, -STEEPEST).clamp(-STEEPEST, STEEPEST) * size).unbind(
        -1
    )
    xx, yy, xy = by_x.square().sum(-1), by_y.square().sum(-1), (by_x * by_y).sum(-1)
    spread = ((xx - yy).square() + 4 * xy.square() + TINY).sqrt()
    longer = ((xx + yy + spread) / 2).clamp_min(TINY).sqrt()
    shorter = (by_x[..., 0] * by_y[..., 1] - by_x[..., 1] * by_y[..., 0]).abs() / longer
    step = torch.maximum(shorter, longer / LONGEST).clamp_min(1)
    longer_way = _turned(by_x, by_y, xx - yy, 2 * xy) / longer[..., None]
    return torch.cat(
        [
            step.log2().clamp_max(levels - 1)[..., None],
            (longer / step).clamp(1, LONGEST)[..., None],
            longer_way * step[..., None] / size[:, 0],
        ],
        -1,
    )


def _turned(by_x: Tensor, by_y: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """The longer half axis: by_x cos θ + by_y sin θ, where tan 2θ is sine / cosine; by_x where both are 0."""
    round_ = (cosine.abs() + sine.abs()) <= TINY
    angle = 0.5 * torch.atan2(torch.where(round_, 0.0, sine), torch.where(round_, 1.0, cosine))[..., None]
    return by_x * angle.cos() + by_y * angle.sin()
