"""How often does a method grow a second face, when the prior prefers fronts?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from distill3d.bench._benchmark import Benchmark
from distill3d.bench._trial import Outcome, Trial, outcomes
from distill3d.objective import Objective
from distill3d.objectives.esd import ESD
from distill3d.objectives.sds import SDS
from distill3d.priors.exact import Exact
from distill3d.recipe import SIZE, STEPS, VIEWS
from distill3d.statistics import mean, rate


@dataclass
class Janus(Benchmark):
    """Janus rates of SDS and ESD under a leaky prior, with 95 % intervals over seeds."""

    prompt: Annotated[str, "what to make; its kind needs a front"] = "a red robot"
    seeds: Annotated[int, "runs for each method"] = 8
    leak: Annotated[float, "how often a view word still yields front views"] = 0.8
    steps: Annotated[int, "steps of each run"] = STEPS
    views: Annotated[int, "pictures for each step"] = VIEWS
    size: Annotated[int, "side of the pictures in pixels"] = SIZE

    def lines(self) -> Iterator[str]:
        """A row for each method, when all its seeds are measured."""
        yield f'"{self.prompt}", leak {self.leak:g}, {self.seeds} seeds, {self.steps} steps'
        yield f"{'method':8} {'Janus rate':>20} {'faces':>20} {'entropy':>20} {'PSNR dB':>22} {'IoU':>20}"
        for method in (SDS, ESD):
            trials = [self._trial(method(), seed) for seed in range(self.seeds)]
            found = list(outcomes(trials, self.results, jobs=self.jobs))
            yield f"{method.__name__.lower():8} {_row(found)}"
        yield f"A consistent object has 1 face and pose entropy {math.log(12):.2f}."

    def _trial(self, objective: Objective, seed: int) -> Trial:
        prior = Exact(leak=self.leak)
        return Trial(self.prompt, seed, objective, prior, steps=self.steps, views=self.views, size=self.size)


def _row(found: Sequence[Outcome]) -> str:
    reports = [outcome.report for outcome in found if outcome.report is not None]
    collapsed = len(found) - len(reports)
    if not reports:
        return f"all {collapsed} runs collapsed"
    columns = (
        (rate(sum(bool(r.janus) for r in reports), len(reports)), 20),
        (mean([float(r.faces or 0) for r in reports]), 20),
        (mean([r.pose_entropy or 0.0 for r in reports]), 20),
        (mean([r.psnr for r in reports]), 22),
        (mean([r.iou for r in reports]), 20),
    )
    row = " ".join(f"{estimate!s:>{width}}" for estimate, width in columns)
    return f"{row}  ({collapsed} more collapsed)" if collapsed else row
