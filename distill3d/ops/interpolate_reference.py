"""The definition of `interpolate` in plain torch: Σ b_i a_i over the corners i of the triangle seen."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def interpolate(
    attributes: Float[Tensor, "N C"],
    indices: Int[Tensor, "F 3"],
    triangle: Int[Tensor, "*B"],
    barycentric: Float[Tensor, "*B 3"],
) -> Float[Tensor, "*B C"]:
    """See `distill3d.ops.interpolate.interpolate`."""
    seen = triangle >= 0
    corners = attributes[indices[triangle[seen].long()].long()]
    values = torch.einsum("pi,pic->pc", barycentric[seen], corners)
    return values.new_zeros(*triangle.shape, attributes.shape[1]).index_put((seen,), values)
