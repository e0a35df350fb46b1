"""Where the tests of an operation run now: one body for every backend that is usable.

@pytest.fixture(params=usable("splat"), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from distill3d.ops import _library, backends


def put(*tensors: Tensor) -> list[Tensor]:
    """The tensors on the device where tensors are made now."""
    return [tensor.to(torch.get_default_device()) for tensor in tensors]


@dataclass(frozen=True)
class Machine:
    """A backend, and the device that its inputs must be on."""

    backend: str
    device: torch.device

    def __str__(self) -> str:
        return self.backend

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Every operation in the block runs here, and tensors are made on this machine's device.

        Random numbers come from generators on the CPU; make them with `device="cpu"`, then `put` them.
        """
        with backends.use(self.backend), torch.device(self.device):
            yield

    def put(self, *tensors: Tensor) -> list[Tensor]:
        """The tensors on this machine's device."""
        return [tensor.to(self.device) for tensor in tensors]

    def size(self, full: int, small: int) -> int:
        """`full`, or `small` where every step takes long."""
        return small if self.backend == "emulated" else full


def usable(operation: str, prefix: str | None = None) -> list[Machine]:
    """The backends with our own kernels or the definition of an operation that can run on this machine.

    A library counts where it has every function that was declared with the prefix, by default
    `d3d_<operation>_`.
    """
    prefix = prefix or f"d3d_{operation}_"
    machines = [Machine("reference", torch.device("cpu"))]
    for name in _library.LIBRARIES:
        if _library.why_not(name) is None and not _library.missing(name, prefix):
            machines.append(Machine(name, torch.device("cuda" if name == "cuda" else "cpu")))
    return machines


def compiled(operation: str, prefix: str | None = None) -> list[Machine]:
    """As `usable`, without the definition."""
    return [machine for machine in usable(operation, prefix) if machine.backend != "reference"]
