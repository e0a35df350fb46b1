"""Does a copy of a fitted scene beat the same architecture fitted to the photographs for ten times as long?

Fang et al. 2023, One Is All (arXiv 2211.15977), claim that a perceptron taught by a hash grid is there 10 to
20 times as fast as one that is trained from photographs, and is better. The teacher's own fit, which was done
anyway where there is something to convert, is not counted but shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch

from distill3d import conversion, plugins
from distill3d.bench._benchmark import Benchmark, Record
from distill3d.camera import Cameras
from distill3d.comparison import WHITE, against_photographs
from distill3d.conversion import Pace, Source
from distill3d.conversions.routes import route
from distill3d.data import photographs
from distill3d.data.dataset import Dataset, open_dataset
from distill3d.data.photographs import Photographs
from distill3d.distill import Lesson, Pictures, learn
from distill3d.errors import UserError
from distill3d.scene import Scene
from distill3d.teachers.images import Images

SCENE = Path(__file__).parents[2] / "scenes" / "locomotive"
VIEWS = 8
"""Photographs of each step of a fit."""
TRIED, SOME = 20, 0.1
"""Steps, and then a share of the time, whose pace says how many steps there is time for: rates follow the
share of the run that is done, and a scene that has found out where it is empty steps faster."""


@dataclass
class Scratch(Benchmark):
    """PSNR on test photographs: a conversion, and the same architecture fitted for so many times as long."""

    data: Annotated[Path | None, "a dataset; by default the locomotive of the sources"] = None
    teacher: Annotated[str, "kind of field that is fitted first, and then converted"] = "hash_grid"
    kind: Annotated[str, "kind of field that it is converted to, and that is fitted"] = "mlp"
    teacher_steps: Annotated[int, "of the teacher's fit"] = 1500
    steps: Annotated[int, "of the conversion"] = 400
    rays: Annotated[int, "of each step of all three, or about as many"] = 1024
    times: Annotated[float, "how many times as long the fit may take"] = 10.0
    size: Annotated[int, "side of the photographs in pixels"] = 64
    seeds: Annotated[int, "runs of both"] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = (self.teacher_steps, self.steps, self.rays, self.seeds)
        if min(counts) < 1 or self.size < 8 or self.times <= 0:
            raise ValueError(
                f"teacher_steps is {self.teacher_steps}, steps {self.steps}, rays {self.rays}, seeds "
                f"{self.seeds}, size {self.size} and times {self.times:g}; expected at least 1 of the first "
                "four, at least 8, and more than 0"
            )
        if self.jobs != 1:
            raise ValueError(f"jobs is {self.jobs}; expected 1, because runs side by side disturb each other")

    def lines(self) -> Iterator[str]:
        """A row for each scene of each seed, then what the conversion is beside the fit."""
        yield f"{'':34}{'seconds':>9}{'PSNR dB':>9}{'worst':>8}"
        gains = []
        for seed in range(self.seeds):
            found = self._measured(seed)
            yield _row(f"{self.teacher} from photographs", found["teacher"])
            yield _row(f"{self.kind} from that {self.teacher}", found["converted"])
            yield _row(f"{self.kind} from photographs, {self.times:g} times", found["fitted"])
            gains.append(found["converted"]["psnr"] - found["fitted"]["psnr"])
        gain = sum(gains) / len(gains)
        verdict = "met   " if gain > 0 else "MISSED"
        yield f"{verdict}  {self.kind}: {gain:+.2f} dB over the fit for {self.times:g} times as long"

    def _measured(self, seed: int) -> Record:
        """The runs as they were measured before, or now."""
        trial: Record = {"data": str(self.data or SCENE.name), "seed": seed, "size": self.size}
        trial |= {"teacher": self.teacher, "teacher_steps": self.teacher_steps}
        trial |= {"kind": self.kind, "steps": self.steps, "rays": self.rays, "times": self.times}
        outcome = self.results.outcome(trial)
        if outcome is None:
            outcome = self._run(seed)
            self.results.add(trial, outcome)
        return outcome

    def _run(self, seed: int) -> Record:
        if not (self.data or SCENE).is_dir():
            raise UserError(f"{self.data or SCENE} is no folder; give that of a dataset with --data")
        dataset = open_dataset(self.data or SCENE)
        there = dataset.cameras(dataset.train)
        downscale = max(1, round(max(there.width, there.height) / self.size))
        taken, test = (
            photographs.load(dataset, split, downscale=downscale) for split in (dataset.train, dataset.test)
        )
        teacher = self._fresh(self.teacher, dataset, taken.cameras, seed)
        spent = _learned(teacher, self._of(taken), self.teacher_steps, seed=seed)
        found = {"teacher": _judged(teacher, test, spent)}
        student, spent = self._converted(teacher, seed)
        found["converted"] = _judged(student, test, spent)
        wanted, steps = self.times * spent, TRIED
        for share in (SOME, 1.0):
            tried = self._fresh(self.kind, dataset, taken.cameras, seed)
            each = _learned(tried, self._of(taken), steps, seed=seed) / steps
            steps = max(1, round(share * wanted / each))
        fitted = self._fresh(self.kind, dataset, taken.cameras, seed)
        spent = _learned(fitted, self._of(taken), steps, seed=seed)
        found["fitted"] = _judged(fitted, test, spent)
        return found

    def _fresh(self, kind: str, dataset: Dataset, cameras: Cameras, seed: int) -> Scene:
        """A scene to be fitted, as large as a conversion would make it."""
        made = plugins.load("representations", kind, "kind of scene", "distill3d convert --help")
        return made.from_photographs(dataset.seen(cameras), seed=seed, **self._sizes(kind))

    def _sizes(self, kind: str) -> dict[str, Any]:
        path = plugins.find("targets", kind, "kind of target", "distill3d convert --help")
        preset = plugins.presets(path, path)["quick"]
        return {name: value for name, value in preset.items() if name not in ("steps", "rays", "views")}

    def _converted(self, teacher: Scene, seed: int) -> tuple[Scene, float]:
        begun = time.perf_counter()
        source = Source(teacher)
        target = plugins.load("targets", self.kind, "kind of target", "")(**self._sizes(self.kind))
        student = conversion.start(source, target, self.kind, seed=seed)
        way = route(self.teacher, self.kind)
        lesson = conversion.lesson(source, student, way, Pace(rays=self.rays, size=self.size))
        _learned(student, lesson, self.steps, seed=seed)
        return student, time.perf_counter() - begun

    def _of(self, taken: Photographs) -> Lesson:
        stride = max(1, round((VIEWS * self.size**2 / self.rays) ** 0.5))
        teacher = Images(taken, stride=stride, background=(0.0, 0.0, 0.0) if taken.opaque else None)
        return Pictures(teacher, teacher, VIEWS, self.size)


def _learned(student: Scene, lesson: Lesson, steps: int, *, seed: int) -> float:
    """Take so many steps; the seconds that they took."""
    begun = time.perf_counter()
    for _ in learn(student, lesson, steps=steps, seed=seed):
        pass
    return time.perf_counter() - begun


@torch.no_grad()
def _judged(scene: Scene, test: Photographs, seconds: float) -> Record:
    scores = against_photographs(scene.render, test, (0.0, 0.0, 0.0) if test.opaque else WHITE)
    return {"psnr": float(scores.psnr.mean()), "worst": float(scores.psnr.min()), "seconds": seconds}


def _row(name: str, record: Record) -> str:
    return f"{name:34}{record['seconds']:9.1f}{record['psnr']:9.2f}{record['worst']:8.2f}"
