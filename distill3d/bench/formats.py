"""How fast, with how much memory and how small are Gaussians written and read in each format?"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from distill3d import atomic, machine
from distill3d.bench._benchmark import Benchmark, Record
from distill3d.bench._memory import peak_bytes
from distill3d.errors import unknown
from distill3d.formats import ply_compressed, ply_gaussians, sog, splat, spz

FORMATS = {
    "ply": ply_gaussians,
    "compressed.ply": ply_compressed,
    "spz": spz,
    "sog": sog,
    "splat": splat,
}
MILLION = 1_000_000
TARGET_DEGREE = 3
TARGETS = {
    ("ply", "write", "seconds"): 2.0,
    ("ply", "read", "seconds"): 2.0,
    ("compressed.ply", "write", "seconds"): 2.0,
    ("spz", "write", "seconds"): 3.0,
    ("spz", "write", "peak_bytes"): 0.6e9,
    ("sog", "write", "seconds"): 30.0,
}
"""At most this much for a million Gaussians of degree 3, on two cores."""
COLUMNS = f"{'format':14} {'write s':>8} {'read s':>8} {'write MB':>9} {'read MB':>9} {'file MB':>9}"


@dataclass
class Formats(Benchmark):
    """Time, memory and size of Gaussians in each format, written to a file and read from it."""

    formats: Annotated[str, "which formats, with commas between them: ply,spz"] = "all"
    count: Annotated[int, "how many Gaussians"] = MILLION
    degree: Annotated[int, "degree of their harmonics"] = TARGET_DEGREE
    rounds: Annotated[int, "how often each is written and read; the least time counts"] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs != 1:
            raise ValueError(f"jobs is {self.jobs}; expected 1, because runs side by side disturb each other")
        if self.count < 1 or self.rounds < 1 or not 0 <= self.degree <= 3:
            raise ValueError(
                f"count is {self.count}, rounds is {self.rounds} and degree is {self.degree}; expected at "
                "least 1, at least 1 and 0 to 3"
            )
        for name in self._formats():
            if name not in FORMATS:
                raise unknown("format", name, FORMATS, "distill3d bench formats --help")

    def _formats(self) -> list[str]:
        if self.formats == "all":
            return list(FORMATS)
        return [name.strip() for name in self.formats.split(",")]

    def lines(self) -> Iterator[str]:
        """A row for each format as it is measured, then the targets where these are the numbers meant."""
        threads = f"{torch.get_num_threads()} threads of {machine.processor()}"
        yield f"{self.count} Gaussians of degree {self.degree}, random numbers; {threads}"
        yield COLUMNS
        measured = dict[str, Record]()
        for name in self._formats():
            measured[name] = self._measured(name)
            yield row(name, measured[name])
        yield "MB: the most memory held beyond what was held before; the scene itself counts in reading only"
        if (self.count, self.degree) == (MILLION, TARGET_DEGREE):
            yield ""
            yield from judgements(measured)

    def _measured(self, name: str) -> Record:
        """The format as it was measured before, or now."""
        trial = {"format": name, "count": self.count, "degree": self.degree}
        record = self.results.outcome(trial)
        if record is None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"scene.{name}"
                write = _elsewhere(_write, name, path, self.count, self.degree, self.rounds)
                read = _elsewhere(_read, name, path, self.rounds)
                record = {"write": write, "read": read, "bytes": path.stat().st_size}
            self.results.add(trial, record)
        return record


def row(name: str, record: Record) -> str:
    """A format in a line of the table."""
    write, read = record["write"], record["read"]
    return (
        f"{name:14} {write['seconds']:8.2f} {read['seconds']:8.2f} {write['peak_bytes'] / 1e6:9.0f} "
        f"{read['peak_bytes'] / 1e6:9.0f} {record['bytes'] / 1e6:9.1f}"
    )


def judgements(measured: dict[str, Record]) -> Iterator[str]:
    """A line for each target of the formats that were measured."""
    for (name, way, what), most in TARGETS.items():
        if name in measured:
            value = measured[name][way][what]
            verdict = "met   " if value < most else "MISSED"
            yield f"{verdict}  {name} {way}: {what} {value:.3g}, expected less than {most:.3g}"


def gaussians(count: int, degree: int) -> dict[str, Tensor]:
    """The state of a scene of random numbers, made without room for anything else.

    They compress worse than those of a scene, and are as much work.
    """
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int, spread: float = 1.0) -> Tensor:
        return torch.randn(count, *shape, generator=generator).mul_(spread)

    return {
        "means": normal(3),
        "wxyz": normal(4),
        "log_scales": normal(3).sub_(4),
        "opacity_logits": normal(spread=2.0),
        "sh": normal((degree + 1) ** 2, 3, spread=0.2),
    }


def _elsewhere(measure: Callable[..., Record], *arguments: object) -> Record:
    """In a fresh process, whose memory no earlier work has raised."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, *arguments).result()


def _write(name: str, path: Path, count: int, degree: int, rounds: int) -> Record:
    state = gaussians(count, degree)
    return _least(lambda: atomic.write(path, FORMATS[name].write(state)), rounds)


def _read(name: str, path: Path, rounds: int) -> Record:
    return _least(lambda: FORMATS[name].read(path.read_bytes()), rounds)


def _least(work: Callable[[], object], rounds: int) -> Record:
    """Seconds of the quickest round, and how much more memory than before was held at a time."""
    before, times = peak_bytes(), list[float]()
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return {"seconds": min(times), "peak_bytes": peak_bytes() - before}
