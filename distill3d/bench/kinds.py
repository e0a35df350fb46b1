"""How well is every kind of the world made from scratch?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

import numpy as np

from distill3d.bench._benchmark import Benchmark
from distill3d.bench._trial import Outcome, Trial, outcomes
from distill3d.errors import unknown
from distill3d.recipe import SIZE, STEPS, VIEWS
from distill3d.statistics import mean
from distill3d.world.grammar import Thing, vocabulary
from distill3d.world.metrics import WorldReport

WORST = 5  # kinds that the last line names


@dataclass
class Kinds(Benchmark):
    """PSNR and IoU of every kind of the world, made from words alone by the recipe of generate."""

    kinds: Annotated[str, "which kinds, with commas between them: robot,car"] = "all"
    colour: Annotated[str, "a colour for all of them; by default each has its own"] = ""
    seeds: Annotated[int, "runs for each kind"] = 1
    steps: Annotated[int, "steps of each run"] = STEPS
    views: Annotated[int, "pictures for each step"] = VIEWS
    size: Annotated[int, "side of the pictures in pixels"] = SIZE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}; expected a whole number of at least 1")
        words = vocabulary()
        for kind in self._kinds():
            if kind not in words["kind"]:
                raise unknown("kind", kind, words["kind"], "distill3d world")
        if self.colour and self.colour not in words["colour"]:
            raise unknown("colour", self.colour, words["colour"], "distill3d world")

    def _kinds(self) -> list[str]:
        if self.kinds == "all":
            return vocabulary()["kind"]
        return [kind.strip() for kind in self.kinds.split(",")]

    def lines(self) -> Iterator[str]:
        """A row for each kind: means over its seeds. Then means over kinds."""
        names = self._kinds()
        width = max(map(len, names))
        recipe = f"{self.steps} steps of {self.views} pictures of {self.size} px"
        yield f"{len(names)} kinds, {self.seeds} seeds, {recipe}"
        yield f"{'kind':{width}} {'PSNR dB':>8} {'IoU':>6} {'faces':>6} {'seconds':>8}"
        found = outcomes(self._trials(names), self.results, jobs=self.jobs)
        psnr: dict[str, float] = {}
        iou: dict[str, float] = {}
        for kind in names:
            runs = list(islice(found, self.seeds))
            yield f"{kind:{width}} {_row(runs)}"
            reports = _reports(runs)
            if reports:
                psnr[kind] = _average([r.psnr for r in reports])
                iou[kind] = _average([r.iou for r in reports])
        yield from _summary("PSNR dB", psnr)
        yield from _summary("IoU", iou)

    def _trials(self, names: Sequence[str]) -> list[Trial]:
        return [
            Trial(
                Thing(kind, self.colour or None).text,
                seed,
                steps=self.steps,
                views=self.views,
                size=self.size,
            )
            for kind in names
            for seed in range(self.seeds)
        ]


def _reports(runs: Sequence[Outcome]) -> list[WorldReport]:
    return [run.report for run in runs if run.report is not None]


def _row(runs: Sequence[Outcome]) -> str:
    reports = _reports(runs)
    if not reports:
        return f"collapsed: {runs[0].collapsed}"
    faces = [float(r.faces) for r in reports if r.faces is not None]
    row = (
        f"{_average([r.psnr for r in reports]):8.2f} {_average([r.iou for r in reports]):6.3f} "
        f"{f'{_average(faces):.1f}' if faces else '-':>6} {_average([run.seconds for run in runs]):8.1f}"
    )
    collapsed = len(runs) - len(reports)
    return f"{row}  ({collapsed} of {len(runs)} collapsed)" if collapsed else row


def _summary(name: str, by_kind: dict[str, float]) -> Iterator[str]:
    """Mean over kinds with its 95 % interval, deviation between kinds, and the worst of them."""
    if not by_kind:
        yield f"{name}: no kind was made"
        return
    values = list(by_kind.values())
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    worst = sorted(by_kind, key=by_kind.__getitem__)[:WORST]
    yield f"{name}: mean {mean(values):.3f}, standard deviation between kinds {deviation:.3f}"
    yield f"  worst: {', '.join(f'{kind} {by_kind[kind]:.3f}' for kind in worst)}"


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)
