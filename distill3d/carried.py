"""Carry what a run knows, tensors in dicts and sequences, from one device to another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def carried(state: Any, device: torch.device | str) -> Any:
    """The same with all tensors on `device`; what lies there already is not copied."""
    if isinstance(state, Tensor):
        return state.to(device)
    if isinstance(state, dict):
        return type(state)((name, carried(value, device)) for name, value in state.items())
    if isinstance(state, list | tuple):
        return type(state)(carried(value, device) for value in state)
    return state
