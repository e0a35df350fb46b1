"""Tensors that are learned: made of given ones, and found again in what was saved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


def parameter(values: Float[Tensor, "..."]) -> nn.Parameter:
    """A copy that is learned."""
    return nn.Parameter(values.detach().clone())


def parameters(values: Sequence[Tensor]) -> nn.ParameterList:
    """A copy of each that is learned."""
    return nn.ParameterList([parameter(value) for value in values])


def listed(state: Mapping[str, Any], name: str) -> list[Tensor]:
    """The tensors `name`.0, `name`.1 and so on of a state, which were such a list."""
    count = sum(key.startswith(f"{name}.") for key in state)
    return [state[f"{name}.{i}"] for i in range(count)]


def weights(inputs: int, outputs: int, generator: torch.Generator) -> Float[Tensor, "W K"]:
    """To start from: uniform, with a variance of 2 / (inputs + outputs)."""
    reach = math.sqrt(6 / (inputs + outputs))
    return reach * (2 * torch.rand(outputs, inputs, generator=generator) - 1)
