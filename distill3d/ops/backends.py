"""Which implementation an operation runs on. The choice is made here and nowhere else.

cuda        our kernels on an NVIDIA GPU, float32; what tensors on a CUDA device get
cpu         our kernels on the processor, float32; what CPU tensors get
reference   the definitions in plain torch (`*_reference.py`): any float type, differentiable, slow
emulated    our CUDA kernels run step by step on the processor, for tests; very slow
gsplat, nerfacc, tinycudann   other people's CUDA kernels, for those operations that they have
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from distill3d.ops import _library

ADAPTERS = {
    "gsplat": ("splat", "surfels"),
    "nerfacc": ("march",),
    "tinycudann": ("hashgrid",),
}
"""Packages of others, and the operations that go to them where they are named."""
NAMES = ("cuda", "cpu", "reference", "emulated", *ADAPTERS)
VARIABLE = "DISTILL3D_BACKEND"

_named: ContextVar[str | None] = ContextVar("distill3d_backend", default=None)


def backends() -> dict[str, str]:
    """Every backend by name, with "usable" or the reason why it is not."""
    return {name: why_not(name) or "usable" for name in NAMES}


def why_not(name: str) -> str | None:
    """Why a backend cannot be used on this machine, or None if it can."""
    if name == "reference":
        return None
    if name in _library.LIBRARIES:
        return _library.why_not(name)
    if importlib.util.find_spec(name) is None:
        return f"the package {name} is not installed; {_INSTALL[name]}"
    if not torch.cuda.is_available():
        return f"{name} computes on CUDA devices only and torch sees none"
    return None


_INSTALL = {
    "gsplat": "pip install gsplat",
    "nerfacc": "pip install nerfacc",
    "tinycudann": "pip install git+https://github.com/NVlabs/tiny-cuda-nn#subdirectory=bindings/torch",
}


@contextmanager
def use(name: str) -> Iterator[None]:
    """Run every operation in the block on the backend `name`; an adapter, those operations that it has."""
    if name not in NAMES:
        raise ValueError(f"there is no backend {name!r}; name one of {', '.join(NAMES)}")
    token = _named.set(name)
    try:
        yield
    finally:
        _named.reset(token)


def choose(operation: str, *inputs: Tensor) -> str:
    """The backend for an operation on these inputs: named by `use`, by DISTILL3D_BACKEND, or by device.

    Raises RuntimeError where that backend cannot be used, and TypeError or ValueError for inputs that it
    cannot take; nothing is ever moved, converted or sent to another backend silently.
    """
    name = _named.get() or _from_environment()
    if name in ADAPTERS and operation not in ADAPTERS[name]:
        name = None
    if name is None:
        name = "cuda" if inputs[0].device.type == "cuda" else "cpu"
    if name == "reference":
        return name
    device = "cpu" if name in ("cpu", "emulated") else "cuda"
    for tensor in inputs:
        if tensor.device.type != device:
            raise ValueError(
                f"the {name} backend was given a tensor on {tensor.device}; "
                f'move it with .to("{device}"), or run inside use("reference")'
            )
        if tensor.dtype != torch.float32:
            raise TypeError(
                f"the {name} backend computes in float32 and was given {tensor.dtype}; "
                'convert with .float(), or run inside use("reference")'
            )
    reason = why_not(name)
    if reason is not None:
        raise RuntimeError(reason)
    return name


def _from_environment() -> str | None:
    name = os.environ.get(VARIABLE) or None
    if name is not None and name not in NAMES:
        raise ValueError(f"{VARIABLE} is {name!r}, expected one of {', '.join(NAMES)}; correct or unset it")
    return name
