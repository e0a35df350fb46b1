"""The definition of `mlp` in plain torch, in any float type, differentiable by autograd."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import torch
from jaxtyping import Float
from torch import Tensor


class Activation(IntEnum):
    """What every hidden neuron does with its sum; outputs are the sums themselves."""

    NONE = 0
    RELU = 1
    SOFTPLUS = 2


def activate(x: Tensor, activation: Activation) -> Tensor:
    """max(x, 0), or log(1 + eˣ), or x."""
    if activation == Activation.RELU:
        return x.relu()
    return torch.logaddexp(x, torch.zeros_like(x)) if activation == Activation.SOFTPLUS else x


def mlp(
    inputs: Float[Tensor, "P I"], weights: Sequence[Tensor], biases: Sequence[Tensor], activation: Activation
) -> Float[Tensor, "P O"]:
    """The perceptron's outputs; see `distill3d.ops.mlp.mlp`."""
    values = inputs
    for layer, weight in enumerate(weights):
        values = values if layer == 0 else activate(values, activation)
        values = values @ weight.T
        if biases:
            values = values + biases[layer]
    return values
