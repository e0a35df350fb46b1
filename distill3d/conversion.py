"""Conversion: a start of another kind, and the lessons that make it look like its source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distill3d import machine
from distill3d.conversions.field_of import field_of
from distill3d.conversions.inherited import comparable, look_into
from distill3d.conversions.routes import FAMILIES, Route
from distill3d.distill import Lesson, Pictures, Told
from distill3d.field import Field
from distill3d.moment import Moment
from distill3d.scene import Scene
from distill3d.target import Target
from distill3d.teachers.rays import Evenly, Hardest, RaySource
from distill3d.teachers.scene import AROUND, SceneTeacher
from distill3d.teachers.volume import Volume

VOLUME_SHARE = 0.5
"""Of a run that goes on with pictures."""


ACTIVE = 0.5
"""Share of the pictures that is drawn by what the student was worst at."""


@dataclass(frozen=True)
class Pace:
    """How much is looked at in each step."""

    rays: int = 4096
    """Rays of a lesson at points."""
    views: int = 4
    """Pictures of a lesson with pictures; cameras whose rays are drawn."""
    size: int = 128
    """Side of the pictures in pixels."""
    active: bool = True
    """Whether a share of each step goes to where the student is worst."""


@dataclass(frozen=True)
class InTurn:
    """One lesson after the other, each until some progress of the run."""

    lessons: Sequence[tuple[float, Lesson]]

    def __call__(self, student: Scene, moment: Moment) -> Told:
        ends = [round(until * moment.steps) for until, _ in self.lessons]
        now = next(i for i, end in enumerate(ends) if moment.number <= end or i == len(ends) - 1)
        begun = ends[now - 1] if now else 0
        within = Moment(moment.number - begun, ends[now] - begun, moment.generator)
        return self.lessons[now][1](student, within)

    def state_dict(self) -> dict[str, Any]:
        return {str(i): lesson.state_dict() for i, (_, lesson) in enumerate(self.lessons)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for i, (_, lesson) in enumerate(self.lessons):
            lesson.load_state_dict(state[str(i)])


def check_memory(target: Target, kind: str) -> None:
    """A ValueError with a sentence if a scene of this size is more than the machine has room for."""
    free, needed = machine.free_bytes(), target.bytes()
    if free is not None and needed > free:
        raise ValueError(
            f"{kind} of this size needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
            f"free; ask for less with {target.smaller}"
        )


def start(source: Scene, target: Target, kind: str, *, seed: int) -> Scene:
    """A scene of `kind` that shows as much of `source` as can be had without learning."""
    check_memory(target, kind)
    known = field_of(source) if FAMILIES.get(kind, "field") == "field" else source
    student = target.start(known, seed=seed)
    student.scene_transform.copy_(source.scene_transform)
    return student


def lesson(source: Scene, student: Scene, route: Route, pace: Pace) -> Lesson:
    """What the student is taught by along a route."""
    parts = [
        _volume(source, student, pace) if name == "volume" else _pictures(source, student, pace)
        for name in route.lessons
    ]
    return InTurn(list(zip((VOLUME_SHARE, 1.0)[-len(parts) :], parts, strict=True)) if parts else [])


def _volume(source: Scene, student: Scene, pace: Pace) -> Lesson:
    if not isinstance(student, Field):
        raise TypeError(f"given a {type(student).__name__} to be taught at points, expected a field")
    teacher = field_of(source)
    look_into(teacher)
    evenly = Evenly(AROUND, pace.views, pace.rays, pace.size)
    rays: RaySource = Hardest(evenly) if pace.active else evenly
    return Volume(teacher, rays, comparable=comparable(student, teacher))


def _pictures(source: Scene, student: Scene, pace: Pace) -> Lesson:
    pixels = pace.views * pace.size**2
    stride = max(1, math.isqrt(pixels // pace.rays)) if isinstance(student, Field) else 1
    teacher = SceneTeacher(source, stride=stride, active=ACTIVE if pace.active else 0.0)
    return Pictures(teacher, teacher, pace.views, pace.size, teacher.want)
