"""Gaussians in an order that keeps neighbours together, which is what compresses."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def morton(means: Float[Tensor, "N 3"]) -> Int[Tensor, "N"]:
    """The order of the centres along a Z-curve of 1024 cells a side."""
    if not len(means):
        return torch.zeros(0, dtype=torch.int64)
    finite = means.nan_to_num()
    low, high = finite.amin(0), finite.amax(0)
    cells = ((finite - low) / (high - low).clamp_min(1e-12) * 1023).long().clamp(0, 1023)
    code = torch.zeros(len(means), dtype=torch.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((cells[:, axis] >> bit) & 1) << (3 * bit + axis)
    return code.argsort(stable=True)
