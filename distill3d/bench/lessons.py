"""Do the stages of volume distillation, and learning where it is hardest, help at equal steps?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from distill3d import files, plugins
from distill3d.bench._benchmark import Benchmark, Record
from distill3d.bench._labels import words
from distill3d.conversions.inherited import comparable, inherit, look_into
from distill3d.distill import learn
from distill3d.errors import UserError
from distill3d.fidelity import fidelity
from distill3d.field import Field
from distill3d.teachers.rays import Evenly, Hardest
from distill3d.teachers.scene import AROUND
from distill3d.teachers.volume import JOINT, STAGED, Volume, alike, by_light

LESSONS = {
    "staged, all of PVD-AL": (STAGED, True, by_light, True),
    "joint": (JOINT, True, by_light, True),
    "even rays": (STAGED, False, by_light, True),
    "even points": (STAGED, True, alike, True),
    "all even": (STAGED, False, alike, True),
    "fresh colours": (STAGED, True, by_light, False),
}
"""Stages, whether rays and cameras are drawn where the student is worst, how points weigh, and whether the
colour network is inherited; the first is what `convert` does."""
SCENE = Path(__file__).parents[2] / "scenes" / "turtle.safetensors"
VIEWS, CAMERAS = 16, 8


@dataclass
class Lessons(Benchmark):
    """PSNR of a field to its teacher after equal steps, with and without each part of the lesson."""

    scene: Annotated[Path | None, "a field to learn from; by default the turtle of the sources"] = None
    kinds: Annotated[str, "kinds of field that learn, with commas between them"] = "hash_grid,vm,mlp"
    steps: Annotated[int, "of each run"] = 300
    rays: Annotated[int, "of each step"] = 2048
    seeds: Annotated[int, "runs of each lesson"] = 3
    size: Annotated[int, "side of the pictures in pixels"] = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.steps, self.rays, self.seeds) < 1 or self.size < 8 or self.jobs != 1:
            raise ValueError(
                f"steps is {self.steps}, rays {self.rays}, seeds {self.seeds}, size {self.size} and jobs "
                f"{self.jobs}; expected at least 1 of the first three, at least 8, and 1"
            )

    def lines(self) -> Iterator[str]:
        """A row for each lesson: the mean over seeds for each kind, and what it is beside the first row."""
        kinds = words(self.kinds)
        yield f"{self.steps} steps of {self.rays} rays, {self.seeds} seeds; PSNR to the teacher, dB"
        yield f"{'':24}" + "".join(f"{kind:>18}" for kind in kinds)
        first = dict[str, float]()
        for name in LESSONS:
            cells = []
            for kind in kinds:
                found = [self._measured(name, kind, seed)["psnr"] for seed in range(self.seeds)]
                mean = sum(found) / len(found)
                first.setdefault(kind, mean)
                cells.append(f"{mean:10.2f} ({mean - first[kind]:+.2f})")
            yield f"{name:24}" + "".join(f"{cell:>18}" for cell in cells)

    def _measured(self, name: str, kind: str, seed: int) -> Record:
        """The run as it was measured before, or now."""
        scene = str(self.scene or SCENE.name)
        trial: Record = {"lesson": name, "kind": kind, "seed": seed, "scene": scene}
        trial |= {"steps": self.steps, "rays": self.rays, "size": self.size}
        outcome = self.results.outcome(trial)
        if outcome is None:
            outcome = self._run(name, kind, seed)
            self.results.add(trial, outcome)
        return outcome

    def _run(self, name: str, kind: str, seed: int) -> Record:
        teacher = files.load(self.scene or SCENE)
        if not isinstance(teacher, Field):
            raise UserError(f"{self.scene} holds no field; lessons at points are learned from one")
        stages, hardest, points, heads = LESSONS[name]
        path = plugins.find("targets", kind, "kind of target", "distill3d convert --help")
        preset = plugins.presets(path, path)["quick"]
        sizes = {key: value for key, value in preset.items() if key not in ("steps", "rays", "views")}
        student = plugins.load("targets", kind, "kind of target", "")(**sizes).fresh(seed)
        look_into(teacher)
        if heads:
            inherit(student, teacher)
        else:
            student.confine(teacher.occupied)
        evenly = Evenly(AROUND, CAMERAS, self.rays, self.size)
        lesson = Volume(
            teacher,
            Hardest(evenly) if hardest else evenly,
            stages,
            points,
            heads and comparable(student, teacher),
        )
        begun = time.perf_counter()
        for _ in learn(student, lesson, steps=self.steps, seed=seed):
            pass
        seconds = time.perf_counter() - begun
        kept = fidelity(teacher, student, size=self.size, views=VIEWS, resolution=0).summary()
        return {"psnr": kept["psnr_vs_source"], "worst": kept["psnr_vs_source_worst"], "seconds": seconds}
