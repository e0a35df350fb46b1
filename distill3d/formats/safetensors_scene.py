"""Our own scene files, for any kind of scene: safetensors with the kind's name in the metadata."""

from __future__ import annotations

import json
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from distill3d.errors import UserError

FORMAT = "distill3d scene 1"


def read(data: bytes) -> tuple[str, dict[str, Any]]:
    """The kind of scene and its state."""
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise UserError(
            f"not a safetensors file, or cut short ({str(error)[:120]}); fetch or write it again"
        ) from error
    notes = _metadata(data)
    if notes.get("format") != FORMAT or "kind" not in notes:
        raise UserError(f'a safetensors file, but not a "{FORMAT}"; expected one that distill3d has written')
    try:
        return notes["kind"], {**tensors, **json.loads(notes.get("numbers", "{}"))}
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"the numbers in its header are no JSON ({str(error)[:80]}); fetch or write it again"
        ) from error


def write(kind: str, state: dict[str, Any]) -> bytes:
    """The file for a scene of `kind`; what is not a tensor in its state must be JSON."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in state.items() if isinstance(v, Tensor)}
    numbers = {k: v for k, v in state.items() if not isinstance(v, Tensor)}
    return save(tensors, {"format": FORMAT, "kind": kind, "numbers": json.dumps(numbers)})


def _metadata(data: bytes) -> dict[str, str]:
    """`__metadata__` of the header, which `load` has checked: 8 bytes of length, then JSON."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__", {})
