"""Moment: where in a run we are, with the run's only source of randomness."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

PROCESSOR = torch.device("cpu")


@dataclass(frozen=True)
class Moment:
    """Step `number` of `steps` (1 to steps). All of a run's chance is drawn from `generator`, in order."""

    number: int
    steps: int
    generator: torch.Generator
    device: torch.device = PROCESSOR
    """Where what is drawn lies; the generator is the processor's, so that chance is the same everywhere."""

    @property
    def progress(self) -> float:
        """0 at the first step, 1 at the last."""
        return (self.number - 1) / max(self.steps - 1, 1)

    def between(self, first: float, last: float) -> float:
        """Linearly from `first` at the run's start to `last` at its end."""
        return first + (last - first) * self.progress

    def between_root(self, first: float, last: float) -> float:
        """From `first` to `last` with the square root of progress: quick at first, then slow."""
        return first + (last - first) * self.progress**0.5

    def uniform(self, *shape: int) -> Float[Tensor, "..."]:
        """Uniform numbers in [0, 1)."""
        return torch.rand(shape, generator=self.generator).to(self.device)

    def normal(self, *shape: int) -> Float[Tensor, "..."]:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self.generator).to(self.device)
