"""The definition of the packed scans in plain torch, differentiable by autograd in any float type."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.ops.volume_reference import places


def scan(
    kind: str, exclusive: bool, values: Float[Tensor, " S"], offsets: Int[Tensor, " E"]
) -> Float[Tensor, " S"]:
    """Running "sum" or "product" of each ray; see `distill3d.ops.scan`."""
    if not len(values):
        return values
    neutral = 0.0 if kind == "sum" else 1.0
    rays, there = places(offsets)
    row = torch.where(there, values[rays], neutral)
    if exclusive:
        row = torch.cat([torch.full_like(row[:, :1], neutral), row[:, :-1]], 1)
    row = row.cumsum(1) if kind == "sum" else row.cumprod(1)
    return torch.zeros_like(values).index_put((rays[there],), row[there])
