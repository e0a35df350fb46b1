"""How fast are the operations of the renderer, beside plain torch, the machine and other people's kernels?"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, cast

import torch

from distill3d import machine, plugins
from distill3d.bench import _curves, _stopwatch
from distill3d.bench._benchmark import Benchmark
from distill3d.bench._case import AXES, Case, Measured, Operation
from distill3d.errors import unknown

OPERATIONS = "bench/operations"
PICTURE = "render_scaling.png"
COLUMNS = (
    f"{'operation':11} {'size':27} {'forward ms':>10} {'+ backward':>10} "
    f"{'× definition':>12} {'of limit':>8} {'peak MB':>8}"
)


@dataclass
class Render(Benchmark):
    """Time and memory of every operation of the renderer, beside plain torch and the machine's limits."""

    operations: Annotated[str, "which operations, with commas between them: splat,mesh"] = "all"
    device: Annotated[Literal["auto", "cpu", "cuda"], "where; auto is the GPU if there is one"] = "auto"
    seconds: Annotated[float, "spent on timing each row"] = 0.6
    table_only: Annotated[bool, "leave out the curves of how the cost grows"] = False
    out: Annotated[Optional[Path], "folder for a picture of the curves"] = None  # noqa: UP045

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs != 1:
            raise ValueError(f"jobs is {self.jobs}; expected 1, because runs side by side disturb each other")
        if not self.seconds >= 0:
            raise ValueError(f"seconds is {self.seconds}; expected at least 0")
        there = plugins.menu(OPERATIONS)
        for name in self._operations():
            if name not in there:
                raise unknown("operation", name, there, "distill3d bench render --help")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device is cuda and torch sees no CUDA device; expected cpu")

    def _operations(self) -> list[str]:
        if self.operations == "all":
            return list(plugins.menu(OPERATIONS))
        return [name.strip() for name in self.operations.split(",")]

    def _device(self) -> torch.device:
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)

    def lines(self) -> Iterator[str]:
        """A row for each case as it is measured, then the targets, then the curves."""
        device = self._device()
        yield f"{device_name(device)}; float32, forward and backward"
        yield COLUMNS
        judged: list[str] = []
        loaded = {name: _load(name) for name in self._operations()}
        for operation in loaded.values():
            for case in operation.cases():
                measured = self._measured(case, device)
                yield row(case, measured)
                judged += [judgement(case, measured, i) for i in range(len(case.targets))]
        yield "limit: the least time for its arithmetic and bytes, at the rates of matrix product and copy"
        if judged:
            yield ""
            yield from judged
        if not self.table_only:
            yield ""
            yield from self._follow(loaded, device)

    def _measured(self, case: Case, device: torch.device) -> Measured:
        """The case as it was measured before, or now."""
        trial = {"operation": case.operation, "size": case.size, "device": device.type}
        record = self.results.outcome(trial)
        if record is None:
            measured = _stopwatch.measure(case, device, self.seconds)
            judged = [dataclasses.asdict(j) for j in judge(case, measured)]
            self.results.add(
                trial,
                {"measured": dataclasses.asdict(measured), "limit": measured.limit, "targets": judged},
            )
            return measured
        return Measured.from_record(record["measured"])

    def _follow(self, operations: dict[str, Operation], device: torch.device) -> Iterator[str]:
        """A line for each curve, and the picture of all."""
        curves: list[_curves.Curve] = []
        yield "milliseconds, forward and backward, over"
        for axis, label in AXES.items():
            for name, operation in operations.items():
                points = [(case.at, self._point(case, axis, device)) for case in operation.sweep(axis)]
                if not points:
                    continue
                curves.append(_curves.Curve(name, axis, points))
                values = ", ".join(f"{_curves.short(at)}: {ms:.3g}" for at, ms in points)
                yield f"  {label:26} {name:11} {values}"
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            title = f"Forward and backward on {device_name(device)}"
            _curves.save(self.out / PICTURE, _curves.draw(curves, AXES, title))
            yield f"curves: {self.out / PICTURE}"

    def _point(self, case: Case, axis: str, device: torch.device) -> float:
        trial = {"operation": case.operation, "size": case.size, "device": device.type}
        trial |= {"axis": axis, "at": case.at}
        record = self.results.outcome(trial)
        if record is None:
            forward, both = _stopwatch.quick(case, device, self.seconds / 8)
            record = {"at": case.at, "forward": forward, "both": both}
            self.results.add(trial, record)
        return record["both"] * 1e3


@dataclass(frozen=True)
class Judgement:
    """Whether a target was met."""

    text: str
    value: float
    met: bool


def judge(case: Case, measured: Measured) -> list[Judgement]:
    """The targets of a case, in order."""
    values = [(target, target.ratio(measured)) for target in case.targets]
    return [Judgement(target.text, value, target.met(value)) for target, value in values]


def judgement(case: Case, measured: Measured, which: int) -> str:
    """A target in a line."""
    found = judge(case, measured)[which]
    return (
        f"{'met   ' if found.met else 'MISSED'}  {case.operation} {case.size}: {found.value:.3g}, "
        f"expected {found.text}"
    )


def row(case: Case, measured: Measured) -> str:
    """A case in a line of the table."""
    ratio = f"{measured.definition / measured.both:.3g}" if measured.definition is not None else "-"
    line = (
        f"{case.operation:11} {case.size:27} {measured.forward * 1e3:10.3g} {measured.both * 1e3:10.3g} "
        f"{ratio:>12} {measured.limit / measured.both:8.1%} {measured.peak_bytes / 1e6:8.3g}"
    )
    others = [f"{seconds / measured.both:.2f} × {name}" for name, seconds in measured.rivals.items()]
    return "  ".join([line, *others])


def device_name(device: torch.device) -> str:
    """The processor or the graphics card."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} threads of {machine.processor()}"


def _load(name: str) -> Operation:
    return cast(Any, importlib.import_module(f"distill3d.bench.operations.{name}"))
