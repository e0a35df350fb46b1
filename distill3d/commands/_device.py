"""--device: where a command computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill3d.errors import UserError

if TYPE_CHECKING:
    import torch


def device(name: str) -> torch.device:
    """The device of this name. Raises a `UserError` where nothing can be computed on it."""
    import torch

    from distill3d.ops import backends

    reason = backends.why_not(name)
    if reason is not None:
        raise UserError(f"--device {name} cannot be used: {reason}; distill3d doctor shows what can")
    return torch.device(name)
