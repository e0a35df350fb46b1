"""Which implementation an operation runs on. The choice is made here and nowhere else.

cpu        the compiled kernels of cuda/cpu, float32; what CPU tensors get unless something else is named
reference  the definitions in plain torch (`*_reference.py`): any float type, slow, differentiable by autograd
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from distill3d.ops import _library

NAMES = ("cpu", "reference")

_named: ContextVar[str | None] = ContextVar("distill3d_backend", default=None)


def backends() -> dict[str, str]:
    """Every backend by name, with "usable" or the reason why it is not."""
    return {"cpu": _library.why_not() or "usable", "reference": "usable"}


@contextmanager
def use(name: str) -> Iterator[None]:
    """Run every operation in the block on the backend `name`."""
    if name not in NAMES:
        raise ValueError(f"there is no backend {name!r}; name one of {', '.join(NAMES)}")
    token = _named.set(name)
    try:
        yield
    finally:
        _named.reset(token)


def choose(*inputs: Tensor) -> str:
    """The backend for these inputs: the one named by `use`, otherwise the kernels for their device.

    Raises RuntimeError where those kernels are missing, and TypeError or ValueError for inputs that they
    cannot take; nothing is ever moved, converted or sent to another backend silently.
    """
    if _named.get() == "reference":
        return "reference"
    for tensor in inputs:
        if tensor.device.type != "cpu":
            raise ValueError(
                f"the cpu backend was given a tensor on {tensor.device}; "
                'move it with .cpu(), or run inside use("reference")'
            )
        if tensor.dtype != torch.float32:
            raise TypeError(
                f"the cpu backend computes in float32 and was given {tensor.dtype}; "
                'convert with .float(), or run inside use("reference")'
            )
    reason = _library.why_not()
    if reason is not None:
        raise RuntimeError(reason)
    return "cpu"
