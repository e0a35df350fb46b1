"""Conversion: a start of another kind, and the lessons that make it look like its source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from distill3d import machine
from distill3d.conversions.field_of import field_of
from distill3d.conversions.inherited import comparable, look_into
from distill3d.conversions.routes import FAMILIES, Route
from distill3d.distill import Lesson, Pictures, Told
from distill3d.field import Field
from distill3d.moment import Moment
from distill3d.representations._primitives import Primitives
from distill3d.rig import Rig
from distill3d.scene import Scene
from distill3d.target import Target
from distill3d.teachers.progress import Progress
from distill3d.teachers.rays import Evenly, Hardest, RaySource
from distill3d.teachers.scene import AROUND, SceneTeacher
from distill3d.teachers.volume import Volume

VOLUME_SHARE = 0.5
"""Of a run that goes on with pictures."""
VOLUME_STEPS = 400
"""At most, of such a run: they are slow, and fields that stand for splats say less than pictures."""

PICTURES_WEIGHT = 30.0
"""About that of rays in a lesson at points: Adam remembers how large gradients were."""
CLOSER = 2.0
"""Primitives are looked at from so near, too: right from afar, they can be wrong there, as fields cannot."""
ACTIVE = 0.5
"""Share of the pictures that is drawn by what primitives were worst at. Fields, which see some pixels of
each, were worse for it."""
RAY_BYTES, PIXEL_BYTES = 70_000, 300
"""Memory for all that is known in a step of a ray's samples, and of a pixel of a picture of splats."""
KEPT_BYTES = 2400
"""The same for a pixel of every picture that is kept: those of the lesson, and those of the report."""


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

    def bytes(self, kind: str) -> dict[str, int]:
        """About how much memory lessons of a scene of this kind take, by the flag that would lessen it."""
        kept = {"--size": KEPT_BYTES * self.size**2}
        family = FAMILIES.get(kind, "field")
        if family == "field":
            return {"--rays": RAY_BYTES * max(self.rays, self.views), **kept}
        return {"--views": PIXEL_BYTES * self.views * self.size**2, **kept} if family == "splats" else kept


@dataclass(frozen=True)
class Source:
    """What is converted; it lies in the unit ball."""

    scene: Scene
    rig: Rig = AROUND
    """From where it is looked at: a scene need not look right from where nobody has seen it."""

    @cached_property
    def field(self) -> Field:
        """The scene, or a field that looks like it, which takes a while to make."""
        field = field_of(self.scene)
        look_into(field)
        return field


@dataclass(frozen=True)
class InTurn:
    """One lesson after the other: until which progress of the run, with what weight, and which."""

    lessons: Sequence[tuple[float, float, Lesson]]
    longest: int | None = None
    """Steps of any but the last, at most."""

    def __call__(self, student: Scene, moment: Moment) -> Told:
        ends = self._ends(moment.steps)
        now = next(i for i, end in enumerate(ends) if moment.number <= end or i == len(ends) - 1)
        begun = ends[now - 1] if now else 0
        within = replace(moment, number=moment.number - begun, steps=ends[now] - begun)
        _, weight, lesson = self.lessons[now]
        told = lesson(student, within)
        return replace(told, loss=replace(told.loss, total=weight * told.loss.total))

    def _ends(self, steps: int) -> list[int]:
        """The last step of each lesson in a run of so many."""
        ends = [round(until * steps) for until, _, _ in self.lessons]
        most = steps if self.longest is None else self.longest
        return [*(min(end, most * (i + 1)) for i, end in enumerate(ends[:-1])), ends[-1]]

    def state_dict(self) -> dict[str, Any]:
        return {str(i): lesson.state_dict() for i, (*_, lesson) in enumerate(self.lessons)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for i, (*_, lesson) in enumerate(self.lessons):
            lesson.load_state_dict(state[str(i)])


def check_memory(target: Target, kind: str, pace: Pace) -> None:
    """A ValueError with a sentence if there is no room for a scene of this size and its lessons."""
    needs = {target.smaller: target.bytes(), **pace.bytes(kind)}
    free, needed = machine.free_bytes(), sum(needs.values())
    if free is not None and needed > free:
        raise ValueError(
            f"a conversion into {kind} of this size needs about {needed / 1e9:.1f} GB of memory, and "
            f"{free / 1e9:.1f} GB are free; ask for less with {max(needs, key=lambda flag: needs[flag])}"
        )


def start(source: Source, target: Target, kind: str, *, seed: int, pace: Pace | None = None) -> Scene:
    """A scene of `kind` that shows as much of `source` as can be had without learning.

    `pace` is that of the lessons to come. Raises ValueError for a scene that there is no memory for, or that
    is of no size that can be.
    """
    check_memory(target, kind, pace or Pace())
    known = source.field if FAMILIES.get(kind, "field") == "field" else source.scene
    student = target.start(known, seed=seed).to(source.scene.device)
    if isinstance(student, Field):
        _check_answers(student)
    student.scene_transform.copy_(source.scene.scene_transform)
    return student


@torch.no_grad()
def _check_answers(field: Field) -> None:
    """Ask for one point: networks that are too large for a backend say so before anything is learned."""
    x, d = torch.zeros(1, 3).to(field.device), torch.eye(3)[2:].to(field.device)
    field.query(x, d if field.directional else None)


def lesson(source: Source, student: Scene, route: Route, pace: Pace) -> Lesson:
    """What the student is taught by along a route."""
    made = {"volume": _volume, "render": _pictures}
    parts = [made[name](source, student, pace) for name in route.lessons]
    if len(parts) < 2:
        return InTurn([(1.0, 1.0, part) for part in parts])
    return InTurn([(VOLUME_SHARE, 1.0, parts[0]), (1.0, PICTURES_WEIGHT, parts[1])], VOLUME_STEPS)


def _volume(source: Source, student: Scene, pace: Pace) -> Lesson:
    if not isinstance(student, Field):
        raise TypeError(f"given a {type(student).__name__} to be taught at points, expected a field")
    evenly = Evenly(source.rig, pace.views, pace.rays, pace.size)
    rays: RaySource = Hardest(evenly) if pace.active else evenly
    return Volume(source.field, rays, comparable=comparable(student, source.field))


def _pictures(source: Source, student: Scene, pace: Pace) -> Lesson:
    pixels = pace.views * pace.size**2
    stride = max(1, math.isqrt(pixels // pace.rays)) if isinstance(student, Field) else 1
    closer = CLOSER if isinstance(student, Primitives) else 1.0
    active = ACTIVE if pace.active and isinstance(student, Primitives) else 0.0
    teacher = SceneTeacher(source.scene, source.rig, closer=closer, stride=stride, active=active)
    if isinstance(student, Primitives):
        return Progress(teacher, pace.views, pace.size, whole=True)
    return Pictures(teacher, teacher, pace.views, pace.size, teacher.want, whole=True)
