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
    given = derivatives.nan_to_num(0.0, STEEPEST, -STEEPEST).clamp(-STEEPEST, STEEPEST)
    u_x, u_y, v_x, v_y = given.flatten(-2).movedim(-1, 0).contiguous().unbind(0)
    xx = (width * u_x).square() + (height * v_x).square()
    yy = (width * u_y).square() + (height * v_y).square()
    xy = width**2 * u_x * u_y + height**2 * v_x * v_y
    spread = ((xx - yy).square() + 4 * xy.square() + TINY).sqrt()
    longer = ((xx + yy + spread) / 2).clamp_min(TINY).sqrt()
    shorter = width * height * (u_x * v_y - u_y * v_x).abs() / longer
    step = torch.maximum(shorter, longer / LONGEST).clamp_min(1)
    x, y = _eigenvector(xx - yy, 2 * xy, spread)
    steps_each = step / (longer * (x.square() + y.square()).sqrt())
    return torch.stack(
        [
            step.log2().clamp_max(levels - 1),
            (longer / step).clamp(1, LONGEST),
            (u_x * x + u_y * y) * steps_each,
            (v_x * x + v_y * y) * steps_each,
        ],
        -1,
    )


def _eigenvector(p: Tensor, q: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Of [[p, q], [q, -p]] and its eigenvalue `spread`, of any length and without cancellation."""
    first = p >= 0
    return torch.where(first, p + spread, q), torch.where(first, q, spread - p)
