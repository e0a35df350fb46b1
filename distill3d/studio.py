"""Studio: where a recipe of several stages is carried out. Its recipes live in recipes/, one paper to a file.

A recipe is a function that calls `stage` for each of its stages, in order, and returns the scene of the last
one. What stands between two stages, such as a mesh taken from a field, is written out between the calls.

    scene = magic3d(Studio("a red robot", Exact()))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from distill3d.distill import CameraSource, Teacher, distill
from distill3d.objective import Objective
from distill3d.prior import Prior
from distill3d.rig import Rig
from distill3d.scene import Scene
from distill3d.teachers.score import Score
from distill3d.wrapped import bare


@dataclass(frozen=True)
class Pace:
    """How long a stage takes."""

    steps: int
    views: int
    """Pictures for each step."""
    size: int
    """Side of these pictures in pixels."""


@runtime_checkable
class Runner(Protocol):
    """Carries out a stage: `student` is what has learned when it is over, and what is returned."""

    def __call__(
        self, name: str, student: Scene, teacher: Teacher, rig: CameraSource, pace: Pace, seed: int
    ) -> Scene: ...


def straight(name: str, student: Scene, teacher: Teacher, rig: CameraSource, pace: Pace, seed: int) -> Scene:
    """All steps, one after another, with nothing written."""
    for _ in distill(
        student, teacher, steps=pace.steps, rig=rig, views=pace.views, size=pace.size, seed=seed
    ):
        pass
    return student


@dataclass(frozen=True)
class Studio:
    """What a recipe is asked to make, and how."""

    prompt: str
    prior: Prior
    seed: int = 0
    published: bool = False
    """At the settings of the paper, for a large prior on a GPU; or so that a CPU does in the closed world."""
    run: Runner = straight
    rig: Rig = field(default_factory=Rig)

    def method(self, kind: type[Objective], **settings: Any) -> Objective:
        """A method at the settings of its paper, or at those that suit the closed world; `settings` before
        both.
        """
        return kind(**{**(kind.PUBLISHED if self.published else {}), **settings})

    @property
    def fake(self) -> str:
        """A model of the scene's pictures: a change of the prior, or a network where it has no weights."""
        return "network" if type(self.prior).adapter is Prior.adapter else "lora"

    def score(self, kind: type[Objective], **settings: Any) -> Score:
        """Score distillation of the prompt by a method."""
        return Score(self.prior, self.method(kind, **settings), self.prompt)

    def score_of_normals(self, kind: type[Objective], **settings: Any) -> Score:
        """The same by a prior of normals, for an `Unpainted` student."""
        return Score(self.prior.of_normals(), self.method(kind, **settings), self.prompt)

    def stage(self, name: str, student: Scene, teacher: Teacher, *, published: Pace, quick: Pace) -> Scene:
        """Let `student` learn from `teacher`, at the pace of the paper or at the quick one."""
        pace = published if self.published else quick
        rig = self.rig.among(self.prior.stations_at)
        return bare(self.run(name, student, teacher, rig, pace, self.seed))
