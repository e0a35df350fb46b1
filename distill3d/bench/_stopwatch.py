"""How long and how much memory: cases and their yardsticks, timed in turn, so that all see the same machine.

The least of several times is kept: what else runs on the machine can only add to it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from distill3d.bench._case import Case, Measured, Work
from distill3d.ops import backends

LEAST_ROUNDS, MOST_ROUNDS = 3, 40
MATRIX = {"cpu": 768, "cuda": 4096}
"""Rows of the matrices whose product is timed."""
COPIED = {"cpu": 16 << 20, "cuda": 128 << 20}
"""Floats that are copied; far more than the last cache holds."""


@dataclass
class Yardsticks:
    """A matrix product and a copy, and the best rates that they have shown."""

    device: torch.device
    flops_per_second: float = 0.0
    bytes_per_second: float = 0.0
    _tensors: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows, floats = MATRIX[self.device.type], COPIED[self.device.type]
        self._tensors = [torch.rand(rows, rows, device=self.device) for _ in range(2)]
        self._tensors += [torch.rand(floats, device=self.device), torch.empty(floats, device=self.device)]

    def measure(self) -> None:
        """Once more; the better of this and earlier ones stays."""
        left, right, source, target = self._tensors
        product = seconds(lambda: left @ right, self.device)
        copy = seconds(lambda: target.copy_(source), self.device)
        self.flops_per_second = max(self.flops_per_second, 2 * len(left) ** 3 / product)
        self.bytes_per_second = max(self.bytes_per_second, 2 * 4 * len(source) / copy)


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Of one run, to its end on the device."""
    if device.type == "cuda":
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        run()
        ended.record()
        ended.synchronize()
        return begun.elapsed_time(ended) / 1e3
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class Passes:
    """A work's forward pass, and its forward and backward pass."""

    def __init__(self, work: Work) -> None:
        self.work = work
        with torch.no_grad():
            self.by_outputs = [torch.ones_like(output) for output in work.run()]

    def forward(self) -> None:
        """The operation alone."""
        with torch.no_grad():
            self.work.run()

    def both(self) -> None:
        """The operation and the gradients of all its leaves."""
        torch.autograd.grad(list(self.work.run()), list(self.work.leaves), self.by_outputs, allow_unused=True)


def measure(case: Case, device: torch.device, allowed: float) -> Measured:
    """Everything about a case, in about `allowed` seconds, and a run of the definition."""
    yardsticks, work = Yardsticks(device), case.prepare(device)
    passes = Passes(work)
    passes.both()
    best: dict[str, float] = {}

    def note(name: str, run: Callable[[], object]) -> None:
        best[name] = min(best.get(name, float("inf")), seconds(run, device))

    deadline = time.perf_counter() + allowed
    for turn in range(MOST_ROUNDS):
        if turn >= LEAST_ROUNDS and time.perf_counter() > deadline:
            break
        yardsticks.measure()
        note("forward", passes.forward)
        note("both", passes.both)
        if work.beside is not None:
            note("beside", work.beside)
    return Measured(
        forward=best["forward"],
        both=best["both"],
        flops_per_second=yardsticks.flops_per_second,
        bytes_per_second=yardsticks.bytes_per_second,
        flops=work.flops,
        bytes=work.bytes,
        peak_bytes=peak_bytes(passes.both, device),
        definition=_on("reference", passes, device, allowed) if case.definition else None,
        beside=best.get("beside"),
        rivals={
            name: _on(name, passes, device, allowed)
            for name in case.rivals
            if device.type == "cuda" and backends.why_not(name) is None
        },
    )


def _on(backend: str, passes: Passes, device: torch.device, allowed: float) -> float:
    """Forward and backward by another backend; one run if that takes long."""
    with backends.use(backend):
        best, deadline = float("inf"), time.perf_counter() + allowed
        for _ in range(MOST_ROUNDS):
            best = min(best, seconds(passes.both, device))
            if time.perf_counter() > deadline:
                break
    return best


def quick(case: Case, device: torch.device, allowed: float) -> tuple[float, float]:
    """Seconds of the forward pass, and of forward and backward: a point of a curve."""
    passes = Passes(case.prepare(device))
    passes.both()
    forward = both = float("inf")
    deadline = time.perf_counter() + allowed
    for turn in range(MOST_ROUNDS):
        if turn >= LEAST_ROUNDS and time.perf_counter() > deadline:
            break
        forward = min(forward, seconds(passes.forward, device))
        both = min(both, seconds(passes.both, device))
    return forward, both


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """The most memory that the tensors of a run held at a time, beyond what was held before it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # otherwise each profile says on stderr that it starts
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    profiler: Any = seen.profiler
    events = [event for event in profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak
