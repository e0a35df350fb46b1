"""A device that is not there: its tensors lie in the processor's memory, and may not meet the processor's.

It stands in for a GPU where there is none. Whatever forgets to move a tensor, or moves one that should stay,
raises as it would there; that the numbers are right is the kernels' own tests' affair.

PyTorch's key for backends from elsewhere, PrivateUse1, sends each operator to `_there`, which looks at the
memory as the processor's, runs the processor's operator, and hands the result back. A tensor changes sides by
DLPack, in which the kind of its device is a number: no memory is copied.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._pytree import tree_map

from distill3d.ops import backends

if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
    pytest.skip(f"torch {torch.__version__} has no backends in Python", allow_module_level=True)

NAME = "elsewhere"
_CPU, _EXTENSION = 1, 12  # kDLCPU and kDLExtDev
MEET = ("aten::_copy_from", "aten::index", "aten::_index_put_impl_")
"""Operators that take tensors of both, as they do on GPUs: rows may be named from the processor."""

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def _as(tensor: Tensor, kind: int) -> Tensor:
    """The same memory as a tensor on another kind of device."""
    capsule = torch._C._to_dlpack(tensor)
    ctypes.c_int32.from_address(_pointer(capsule, b"dltensor") + ctypes.sizeof(ctypes.c_void_p)).value = kind
    return torch._C._from_dlpack(capsule)


def _is_there(value: Any) -> bool:
    return isinstance(value, Tensor) and value.device.type == NAME


def _wrapped(operator: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numbers in the place of tensors come as numbers, and are refused as such."""
    kinds = [str(argument.type) for argument in operator._schema.arguments]
    return tuple(
        torch.scalar_tensor(value, dtype=torch.int64 if isinstance(value, int) else None)
        if kind == "Tensor" and isinstance(value, int | float)
        else value
        for value, kind in zip(args, kinds, strict=False)
    )


def _there(operator: Any, *args: Any, **keywords: Any) -> Any:
    """Run an operator on the processor, whose result is on the device; tensors of both may not meet."""
    name = operator._schema.name
    wanted = keywords.get("device")
    stays = name == "aten::_to_copy" and wanted is not None and wanted.type == "cpu"
    held: dict[int, tuple[Tensor, Tensor]] = {}
    """Tensors of the device by the identity of what the processor sees of them."""

    def here(value: Any) -> Any:
        if isinstance(value, torch.device):
            return torch.device("cpu")
        if isinstance(value, torch.Generator):
            raise RuntimeError(f"{name} was given a generator of the processor for numbers on {NAME}")
        if not isinstance(value, Tensor):
            return value
        if not _is_there(value):
            if value.ndim and name not in MEET:
                raise RuntimeError(f"{name} was given a tensor on {value.device} beside one on {NAME}")
            return value
        # what is still empty may have to become larger, which only memory of the processor's own can
        inner = _as(value, _CPU) if value.numel() else torch.empty(value.shape, dtype=value.dtype)
        held[id(inner)] = inner, value
        return inner

    def back(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) not in held:
            return value if stays else _as(value, _EXTENSION)
        _, outer = held[id(value)]
        if outer.shape != value.shape:
            outer.data = _as(value, _EXTENSION)
        return outer

    args = _wrapped(operator, args)
    if name == "aten::_copy_from":
        source, target = args[:2]
        here(target).copy_(here(source))
        return target
    return tree_map(back, operator(*tree_map(here, args), **tree_map(here, keywords)))


class _Module:
    """What torch asks of a device as a whole. There are none, as far as others can count."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return False

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """All chance is the processor's."""


backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
_LIBRARY = torch.library.Library("_", "IMPL", "PrivateUse1")
_LIBRARY.fallback(_there, "PrivateUse1")
_CONVOLUTIONS = torch.library.Library("aten", "IMPL", "PrivateUse1")
_CONVOLUTIONS.impl("convolution_overrideable", functools.partial(_there, torch.ops.aten.convolution.default))


def _convolution_backward(gradient: Tensor, seen: Tensor, weight: Tensor, *rest: Any) -> Any:
    biases = [len(weight)]
    return _there(torch.ops.aten.convolution_backward.default, gradient, seen, weight, biases, *rest)


_CONVOLUTIONS.impl("convolution_backward_overrideable", _convolution_backward)


@contextmanager
def elsewhere() -> Iterator[torch.device]:
    """The device; in the block, the processor's kernels serve it, and take no tensors from both."""

    def choose(operation: str, *inputs: Tensor) -> str:
        places = {tensor.device.type for tensor in inputs}
        if len(places) > 1:
            raise ValueError(f"{operation} was given tensors on {', '.join(sorted(places))}")
        return "cpu"

    with patch.object(backends, "choose", choose):
        yield torch.device(NAME)
