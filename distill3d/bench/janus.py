"""How often does a method grow a second face, when the prior prefers fronts?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from distill3d.bench._trial import Trial, generate
from distill3d.bench.statistics import mean, rate
from distill3d.objective import Objective
from distill3d.objectives.esd import ESD
from distill3d.objectives.sds import SDS
from distill3d.priors.exact import Exact
from distill3d.representations.gaussians import Gaussians


@dataclass
class Janus:
    """Janus rates of SDS and ESD under a leaky prior, with 95 % intervals over seeds."""

    prompt: Annotated[str, "what to make; its kind needs a front"] = "a red robot"
    seeds: Annotated[int, "runs for each method"] = 8
    leak: Annotated[float, "how often a view word still yields front views"] = 0.8
    steps: Annotated[int, "steps of each run"] = 300
    views: Annotated[int, "pictures for each step"] = 4
    size: Annotated[int, "side of the pictures in pixels"] = 96

    def lines(self) -> Iterator[str]:
        """The table, line by line as it is measured."""
        yield f'"{self.prompt}", leak {self.leak:g}, {self.seeds} seeds, {self.steps} steps'
        yield f"{'method':8} {'Janus rate':>20} {'faces':>20} {'pose entropy':>20} {'PSNR dB':>22} {'IoU':>20}"
        for method in (SDS, ESD):
            yield self._row([self._trial(method(), seed) for seed in range(self.seeds)])
        yield f"A consistent object has 1 face and pose entropy {math.log(12):.2f}."

    def _trial(self, objective: Objective, seed: int) -> Trial:
        prior = Exact(leak=self.leak)
        student = Gaussians.start(seed=seed)
        return generate(
            self.prompt,
            student,
            objective,
            prior,
            steps=self.steps,
            views=self.views,
            size=self.size,
            seed=seed,
        )

    @staticmethod
    def _row(trials: list[Trial]) -> str:
        reports = [trial.report for trial in trials]
        janus = rate(sum(bool(r.janus) for r in reports), len(reports))
        means = (
            mean([float(r.faces or 0) for r in reports]),
            mean([r.pose_entropy or 0.0 for r in reports]),
            mean([r.psnr for r in reports]),
            mean([r.iou for r in reports]),
        )
        faces, entropy, psnr, iou = (f"{m}" for m in means)
        return f"{trials[0].method:8} {janus!s:>20} {faces:>20} {entropy:>20} {psnr:>22} {iou:>20}"
