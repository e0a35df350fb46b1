"""Does a method find all the modes of a prior, and how wide and how heavy does it make them?"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import atomic, plugins
from distill3d.bench import _plane, _scatter
from distill3d.bench._benchmark import Benchmark, kept_in
from distill3d.bench._plane import WORLDS, Spread
from distill3d.errors import UserError, unknown
from distill3d.objective import Objective
from distill3d.statistics import mean

PLACES = (("ring", "everywhere"), ("ring", "one mode"), ("uneven", "everywhere"))
"""Worlds, and where the particles start in them."""
FIRST_WINDOW, LAST_WINDOW = (0.0, 1.0), (0.0, 0.5)
QUICK_STEPS = 1000
COLUMNS = ("coverage", "inliers", "variance_ratio", "mass_error")
HEADINGS = ("modes found", "inliers", "in-mode variance", "mass error")


@dataclass
class Modes(Benchmark):
    """Mode coverage, in-mode variance and mass error of the methods in 2-D, where the truth is known."""

    methods: Annotated[str, "with commas between them; esd=0.9 is with --method.entropy 0.9"] = (
        "sds,esd=0.5,esd=0.9,vsd"
    )
    seeds: Annotated[int, "runs for each method and world"] = 4
    particles: Annotated[int, "places that descend together"] = 256
    steps: Annotated[int, "steps of each run"] = 2000
    quick: Annotated[bool, "one seed and half the steps"] = False
    out: Annotated[Path | None, "folder for modes.json, .md and .png; a later run goes on"] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs != 1:
            raise ValueError(f"jobs is {self.jobs}; expected 1, because each run is a matter of seconds")
        if self.quick:
            self.seeds, self.steps = 1, QUICK_STEPS
        for name in ("seeds", "particles", "steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a whole number of at least 1")
        for label in self._labels():
            objective(label, self.particles).check(_plane.Plane(WORLDS["ring"]()))

    def _labels(self) -> list[str]:
        return [label.strip() for label in self.methods.split(",")]

    def lines(self) -> Iterator[str]:
        """A table of the means over seeds, world by world, and the folder's files at its end."""
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            self.results = kept_in(self.out / "modes.json", self.results)
        table = [f"| world | start | method | {' | '.join(HEADINGS)} |", "|---" * 7 + "|"]
        yield f"{'world':8} {'start':11} {'method':9}" + "".join(f"{heading:>25}" for heading in HEADINGS)
        panels = []
        for world, start in PLACES:
            for label in self._labels():
                found = [self._outcome(world, start, label, seed) for seed in range(self.seeds)]
                cells = [_cell([record[column] for record in found]) for column in COLUMNS]
                yield f"{world:8} {start:11} {label:9}" + "".join(f"{cell:>25}" for cell in cells)
                table.append(f"| {world} | {start} | {label} | {' | '.join(cells)} |")
                panels.append(_scatter.Panel(f"{label}, {world}, {start}", world, found[0]["places"]))
        yield "Right are modes found 1, inliers 1, in-mode variance 1 and mass error 0; 95 % over seeds."
        if self.out is not None:
            atomic.write(self.out / "modes.md", ("\n".join(table) + "\n").encode())
            _scatter.save(self.out / "modes.png", panels, columns=len(self._labels()))
            yield f"written: {self.out}/modes.json, modes.md, modes.png"

    def _outcome(self, world: str, start: str, label: str, seed: int) -> dict[str, Any]:
        """The run as it was measured before, or now."""
        method = objective(label, self.particles)
        trial = {
            "world": world,
            "start": start,
            "method": type(method).__name__.lower(),
            "settings": dataclasses.asdict(method),
            "seed": seed,
            "particles": self.particles,
            "steps": self.steps,
        }
        record = self.results.outcome(trial)
        if record is None:
            begun = time.perf_counter()
            x, spread = _run(method, world, start, seed, count=self.particles, steps=self.steps)
            record = dataclasses.asdict(spread) | {"seconds": time.perf_counter() - begun}
            record["places"] = [[round(v, 4) for v in place] for place in x.tolist()]
            self.results.add(trial, record)
        return record


def _cell(values: list[float]) -> str:
    return f"{mean(values):.3f}" if len(values) > 1 else f"{values[0]:.3f}"


def objective(label: str, particles: int) -> Objective:
    """The method that a label names, with its own fake exact and made of all the particles."""
    name, _, entropy = label.partition("=")
    kind = plugins.load("objectives", name, "method", "distill3d generate --help")
    fields = {field.name for field in dataclasses.fields(kind)}
    exact = {"fake": "own", "memory": particles, "t_first": FIRST_WINDOW, "t_last": LAST_WINDOW}
    settings: dict[str, Any] = {name: value for name, value in exact.items() if name in fields}
    if entropy:
        if "entropy" not in fields:
            raise unknown("method with an entropy", label, ["esd=0.5"], "distill3d generate --help")
        try:
            settings["entropy"] = float(entropy)
        except ValueError as error:
            raise UserError(f'entropy "{entropy}" in {label} is no number; expected esd=0.5 or so') from error
    return kind(**settings)


def _run(
    method: Objective, world: str, start: str, seed: int, *, count: int, steps: int
) -> tuple[Float[Tensor, "N 2"], Spread]:
    """The particles at the end and how they lie.

    A method that weighs the scene's marginal against the noise of its cameras sees one scene; the others see
    each particle as a scene of its own.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors are too small to be worth sharing out
    try:
        there = WORLDS[world]()
        x = _plane.descended(
            method,
            there,
            _plane.started(there, start, count, seed),
            steps=steps,
            seed=seed,
            one_scene=hasattr(method, "entropy"),
        )
    finally:
        torch.set_num_threads(threads)
    return x, _plane.spread_of(x, there)
