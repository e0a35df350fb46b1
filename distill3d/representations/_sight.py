"""Colours from a point's features and the direction of sight, by a small perceptron.

The direction is seen as its spherical harmonics up to degree 3. Source: Müller et al. 2022, Instant Neural
Graphics Primitives (arXiv 2201.05989), section 5.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import sh
from distill3d.ops.mlp import mlp
from distill3d.representations._learned import weights

DEGREE = 3
HARMONICS = (DEGREE + 1) ** 2


def colour(
    features: Float[Tensor, "P C"], d: Float[Tensor, "P 3"] | None, weights: Sequence[Tensor]
) -> Float[Tensor, "P 3"]:
    """Colours in [0, 1] of points with these features, looked at along unit `d`, if that matters."""
    seen = features if d is None else torch.cat([features, sh.basis(d, DEGREE)], 1)
    return mlp(seen, weights).sigmoid()


def network(
    features: int, *, directional: bool, width: int, layers: int, generator: torch.Generator
) -> list[Tensor]:
    """Weights to start from, of a perceptron with so many hidden layers."""
    sizes = [features + HARMONICS * directional, *[width] * layers, 3]
    return [weights(inputs, outputs, generator) for inputs, outputs in pairwise(sizes)]
