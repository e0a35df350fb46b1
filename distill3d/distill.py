"""The one loop: a student is rendered, a teacher says how the rendering is wrong, the student improves.

`learn` is the loop, `distill` the loop with pictures; a lesson of another kind looks at points or rays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.carried import carried
from distill3d.moment import Moment
from distill3d.rendering import Rendering
from distill3d.scene import Scene

PATIENCE = 25  # steps that a scene may be invisible before the run is given up
COARSE_TO_FINE = ((4, 0.1), (2, 0.3), (1, 2.0))  # pictures of size / divisor, until that progress
SMALLEST = 32  # pixels
INVISIBLE = 1e-4  # mean alpha under which nothing is seen


@dataclass(frozen=True)
class Loss:
    """What a teacher says: a scalar to descend, and the named numbers it is made of."""

    total: Float[Tensor, ""]
    parts: dict[str, Tensor] = field(default_factory=dict)


@runtime_checkable
class Teacher(Protocol):
    """Looks at renderings and says how they are wrong. May keep state, which checkpoints carry."""

    def __call__(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Loss: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@runtime_checkable
class CameraSource(Protocol):
    """Draws the cameras of a step."""

    def cameras(self, moment: Moment, *, views: int, width: int, height: int) -> Cameras: ...


@dataclass(frozen=True)
class Told:
    """What a student is told in a step, and from what it was told."""

    loss: Loss
    cameras: Cameras
    """From which the student was looked at."""
    rendering: Rendering | None = None
    """What was seen from them, if whole pictures were."""


@runtime_checkable
class Lesson(Protocol):
    """Looks at a student in its own way and says how it is wrong. May keep state, which checkpoints carry."""

    def __call__(self, student: Scene, moment: Moment) -> Told: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Pictures:
    """The lesson of most runs: the student is rendered, and a teacher looks at the rendering."""

    teacher: Teacher
    rig: CameraSource
    views: int
    size: int
    want: Collection[str] = ()
    """Channels that the teacher reads beside those that the student's own penalty does."""
    whole: bool = False
    """Pictures have all of their size from the beginning: the student is no longer rough."""

    def __call__(self, student: Scene, moment: Moment) -> Told:
        side = self.size if self.whole else resolution(self.size, moment.progress)
        cameras = self.rig.cameras(moment, views=self.views, width=side, height=side)
        rendering = student.render(cameras, want={*student.want(moment), *self.want})
        loss = self.teacher(cameras, rendering, moment)
        penalty = student.penalty(cameras, rendering, moment)
        if penalty is not None:
            loss = Loss(loss.total + penalty, loss.parts)
        return Told(loss, cameras, rendering)

    def state_dict(self) -> dict[str, Any]:
        return self.teacher.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.teacher.load_state_dict(state)


@dataclass(frozen=True)
class Step:
    """One step of a run, after it was taken."""

    number: int
    """1 to `steps`."""
    steps: int
    loss: float
    parts: dict[str, float]
    seconds: float
    """Since the loop was entered."""
    cameras: Cameras
    rendering: Rendering | None
    """What the teacher saw, detached; None if it was no whole pictures."""
    state: Callable[[], dict[str, Any]]
    """Everything needed to go on bit for bit; pass it to `distill(state=)`."""


class Collapsed(RuntimeError):
    """The run cannot come to anything any more; says why in one sentence."""


def distill(
    student: Scene,
    teacher: Teacher,
    *,
    steps: int,
    rig: CameraSource,
    views: int = 4,
    size: int = 64,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Iterator[Step]:
    """Improve `student` in place, `steps` times; yields after every step.

    views: cameras per step. size: side of the square pictures in pixels, which grow to it (see `resolution`).
    state: a `Step.state()` of an earlier run with the same arguments, whose `state["student"]` the student
    was restored from; the rest of the run is then the same to the last bit (on one machine, with the same
    number of threads).

    Raises Collapsed if a loss or a parameter is not finite, or nothing has been visible for a while.
    """
    return learn(student, Pictures(teacher, rig, views, size), steps=steps, seed=seed, state=state)


def learn(
    student: Scene, lesson: Lesson, *, steps: int, seed: int = 0, state: dict[str, Any] | None = None
) -> Iterator[Step]:
    """As `distill`, however the student is looked at."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(_groups(student), betas=(0.9, 0.99), eps=1e-15, fused=True)
    rates = [(g["lr"], g["lr_final"]) for g in optimizer.param_groups]
    done, unseen = 0, 0
    if state is not None:
        done, unseen = state["number"], state["unseen"]
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        lesson.load_state_dict(carried(state["teacher"], student.device))
    begun = time.perf_counter()
    for number in range(done + 1, steps + 1):
        moment = Moment(number, steps, generator, student.device)
        for group, (first, last) in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = first * (last / first) ** moment.progress
        told = lesson(student, moment)
        loss, rendering = told.loss, told.rendering
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        with torch.no_grad():
            student.grow(number, steps, optimizer, generator)
        unseen = unseen + 1 if _invisible(rendering) else 0
        _watch(student, float(loss.total.detach()), number, unseen)

        def snapshot(number: int = number, unseen: int = unseen) -> dict[str, Any]:
            return {
                "number": number,
                "unseen": unseen,
                "student": student.state_dict(),
                "optimizer": optimizer.state_dict(),
                "generator": generator.get_state(),
                "teacher": lesson.state_dict(),
            }

        yield Step(
            number,
            steps,
            float(loss.total.detach()),
            {name: float(value.detach()) for name, value in loss.parts.items()},
            time.perf_counter() - begun,
            told.cameras,
            None if rendering is None else rendering.detach(),
            snapshot,
        )


def resolution(size: int, progress: float) -> int:
    """Side of the pictures in pixels: a quarter of `size`, then half, then all; never under 32 unless asked.

    Small pictures settle what the object is and where its front is, sooner and at less cost; large ones its
    surface.
    """
    divisor = next(d for d, until in COARSE_TO_FINE if progress < until)
    return max(size // divisor, min(size, SMALLEST))


def _groups(student: Scene) -> list[dict[str, Any]]:
    """The student's groups, each with a final learning rate."""
    return [{"lr_final": group["lr"], **group} for group in student.param_groups()]


def _invisible(rendering: Rendering | None) -> bool:
    return rendering is not None and bool(rendering.alpha.detach().mean() < INVISIBLE)


def _watch(student: Scene, loss: float, number: int, unseen: int) -> None:
    if loss != loss or loss in (float("inf"), float("-inf")):
        raise Collapsed(
            f"the loss became {loss} at step {number}; lower the learning rates or try another seed"
        )
    if unseen >= PATIENCE:
        raise Collapsed(
            f"the scene has been empty for {unseen} steps (step {number}); "
            "start it with more or larger primitives, or lower its opacity's learning rate"
        )
    for name, parameter in student.named_parameters():
        # The sum alone is read where it is finite: then all of it is, and that costs a tenth.
        if not parameter.detach().sum().isfinite() and not parameter.isfinite().all():
            raise Collapsed(
                f"{name} is not finite after step {number}; lower its learning rate or try another seed"
            )
