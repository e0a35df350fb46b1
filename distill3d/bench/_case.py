"""Case: one operation at one size, to be timed; what the files of `operations/` are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

AXES = {
    "primitives": "splats, triangles, points",
    "pixels": "pixels in a picture",
    "views": "pictures in a call",
    "channels": "channels",
}
"""Along what the cost of an operation is followed, and what that counts."""


@dataclass(frozen=True)
class Work:
    """Inputs on a device, ready to be run, and the least that any program has to do with them."""

    leaves: Sequence[Tensor]
    """What a gradient is asked for."""
    run: Callable[[], Sequence[Tensor]]
    """The operation, by whichever backend is in use."""
    flops: int | float
    """Of forward and backward; estimated where it depends on what is seen."""
    bytes: int | float
    """Read and written once each, forward and backward."""
    beside: Callable[[], object] | None = None
    """Something else to be timed in turn with it, for a target that compares the two."""


@dataclass(frozen=True)
class Target:
    """A bound on a ratio of what was measured."""

    text: str
    ratio: Callable[[Measured], float]
    least: int | float | None = None
    most: int | float | None = None

    def met(self, value: float) -> bool:
        """Whether the ratio keeps the bound."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True)
class Measured:
    """Seconds of a case, and of its yardsticks in the same minute."""

    forward: float
    both: float
    """Forward and backward."""
    flops_per_second: float
    """Of a large float32 matrix product."""
    bytes_per_second: float
    """Of a copy of a large array; read and written bytes both count."""
    flops: int | float
    bytes: int | float
    peak_bytes: int
    """The most memory that tensors of one forward and backward pass took beyond the inputs."""
    definition: float | None = None
    """Forward and backward of the definition in plain torch."""
    beside: float | None = None
    rivals: dict[str, float] = field(default_factory=dict)
    """Forward and backward of other people's kernels."""

    @property
    def limit(self) -> float:
        """Seconds that the machine needs at least, at the rates it has just shown."""
        return max(self.flops / self.flops_per_second, self.bytes / self.bytes_per_second)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Measured:
        """The inverse of `dataclasses.asdict`."""
        return cls(**record)


@dataclass(frozen=True)
class Case:
    """An operation at a size."""

    operation: str
    size: str
    prepare: Callable[[torch.device], Work]
    definition: bool = True
    """Whether the definition is quick and small enough to be timed at this size."""
    rivals: Sequence[str] = ()
    """Backends of `distill3d.ops.backends` to compare with where they can be used."""
    targets: Sequence[Target] = ()
    at: int | float = 0
    """Where on the axis, in a sweep."""


@runtime_checkable
class Operation(Protocol):
    """What a file of `operations/` has."""

    def cases(self) -> list[Case]:
        """The rows of the table."""
        ...

    def sweep(self, axis: str) -> list[Case]:
        """Points along an axis of AXES; none if it means nothing here."""
        ...


def times_the_definition(least: int | float) -> Target:
    """At least so many times as fast as plain torch."""
    return Target(
        f"at least {least:g} times the definition",
        lambda m: m.definition / m.both if m.definition is not None else 0.0,
        least=least,
    )


def random(*shape: int, device: torch.device, seed: int = 0) -> Tensor:
    """Uniform in 0 .. 1, the same on every device."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)).to(device)


def normal(*shape: int, device: torch.device, seed: int = 0) -> Tensor:
    """Standard normal, the same on every device."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
