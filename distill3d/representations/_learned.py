"""Tensors that are learned: made of given ones, and found again in what was saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
