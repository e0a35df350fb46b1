"""What does a step of each method cost, and how much of it is neither its networks nor the rendering?

A step's seconds are split in three: evaluations of the prior and of the model of the scene's own pictures,
with its learning and with derivatives that go through both; rendering, its derivative and the optimizer; and
the rest, which is the method's own arithmetic. That rest should stay under a tenth of the other two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import torch

from distill3d import plugins
from distill3d.bench import _labels
from distill3d.bench._benchmark import Benchmark
from distill3d.camera import Cameras
from distill3d.distill import CameraSource, Loss, distill
from distill3d.moment import Moment
from distill3d.objective import Objective
from distill3d.prior import Prior
from distill3d.priors.exact import Exact
from distill3d.recipe import SCENE, VIEWS
from distill3d.rendering import Rendering
from distill3d.rig import Rig
from distill3d.teachers.score import Score

OWN_AT_MOST = 0.1
WARM_UP = 3  # steps that are not counted
OF_PRIOR = ("noise", "joint_noise", "log_density", "encode")
OF_Q = ("noise", "log_density", "learn")


@dataclass
class Objectives(Benchmark):
    """Seconds of a step of every method, and the share that is its own arithmetic."""

    methods: Annotated[str, "with commas between them; vsd+fake=own is with an option"] = "all"
    prompt: Annotated[str, "what to make"] = "a red robot"
    scene: Annotated[str, "kind of scene"] = SCENE
    steps: Annotated[int, "steps that are timed, of which the median counts"] = 24
    views: Annotated[int, "pictures for each step"] = VIEWS
    size: Annotated[int, "side of the pictures in pixels"] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs != 1:
            raise ValueError(f"jobs is {self.jobs}; expected 1, because runs side by side disturb timings")
        for name in ("steps", "views", "size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a whole number of at least 1")
        plugins.find("representations", self.scene, "scene", _labels.HELP)
        for label in self._labels():
            _labels.objective(label).check(Exact())

    def _labels(self) -> list[str]:
        return list(plugins.menu("objectives")) if self.methods == "all" else _labels.words(self.methods)

    def lines(self) -> Iterator[str]:
        """A row for each method, and a last line that names those whose own share is too large."""
        yield f"{self.scene}, {self.steps} steps of {self.views} pictures of {self.size} px"
        yield f"{'method':12}{'ms a step':>12}{'networks':>12}{'rendering':>12}{'own share':>12}"
        over = []
        for label in self._labels():
            spent = self._spent(label)
            yield (
                f"{label:12}{1e3 * spent.whole:12.1f}{1e3 * spent.networks:12.1f}"
                f"{1e3 * spent.rendering:12.1f}{spent.own_share:12.1%}"
            )
            if spent.own_share > OWN_AT_MOST:
                over.append(label)
        yield "Own share: of what a method does beside its networks, in their time and that of rendering."
        yield f"over {OWN_AT_MOST:.0%}: {', '.join(over) or 'none'}"

    def _spent(self, label: str) -> Spent:
        trial = {"method": label, "scene": self.scene, "views": self.views, "size": self.size}
        trial |= {"prompt": self.prompt, "steps": self.steps}
        record = self.results.outcome(trial)
        if record is None:
            record = asdict(self._measured(_labels.objective(label)))
            self.results.add(trial, record)
        return Spent(**record)

    def _measured(self, method: Objective) -> Spent:
        prior, networks, teaching = Exact(), Stopwatch(), Stopwatch()
        student = plugins.load("representations", self.scene, "scene", _labels.HELP).start(seed=0)
        rig = Rig().among(prior.stations_at)
        teacher = Timed(Score(prior, method, self.prompt), teaching)
        # all steps are as the last ones of a run, at the full size
        steps = distill(
            student,
            teacher,
            steps=WARM_UP + self.steps,
            rig=Full(rig, self.size),
            views=self.views,
            size=self.size,
        )
        found, before = [], time.perf_counter()
        with counted(networks, prior, method):
            for _ in steps:
                now = time.perf_counter()
                found.append(Spent(now - before, networks.taken(), teaching.taken()))
                before = time.perf_counter()
        return middle(found[WARM_UP:])


@dataclass(frozen=True)
class Spent:
    """Seconds of one step."""

    whole: float
    networks: float
    teaching: float
    """From the pictures to the loss, networks included."""

    @property
    def rendering(self) -> float:
        """What the teacher has no part in: rendering, all derivatives of the scene, and the optimizer."""
        return self.whole - self.teaching

    @property
    def own_share(self) -> float:
        """The method's own arithmetic, over networks and rendering."""
        return (self.teaching - self.networks) / max(self.networks + self.rendering, 1e-9)


def middle(found: Sequence[Spent]) -> Spent:
    """The step whose own share is the median of all; of two in the middle, the lower."""
    return sorted(found, key=lambda spent: spent.own_share)[(len(found) - 1) // 2]


@dataclass
class Stopwatch:
    """Seconds inside functions; one that another of them calls is not counted twice."""

    seconds: float = 0.0
    _deep: int = field(default=0, init=False)

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, watched."""

        def watched(*arguments: Any, **keywords: Any) -> Any:
            self._deep += 1
            begun = time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                self._deep -= 1
                if not self._deep:
                    self.seconds += time.perf_counter() - begun

        return watched

    def taken(self) -> float:
        """The seconds since it was last asked."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


@contextmanager
def counted(watch: Stopwatch, prior: Prior, method: Objective) -> Iterator[None]:
    """Watch all evaluations of the prior and of q; a derivative in a method goes through these."""
    inner: Any = getattr(method, "method", method)
    watched: list[tuple[Any, str]] = [(prior, name) for name in OF_PRIOR]
    watched += [(inner.q, name) for name in OF_Q] if hasattr(inner, "q") else []
    watched += [(method, "penalty")] if hasattr(method, "who") else []
    for holder, name in watched:
        setattr(holder, name, watch.timed(getattr(holder, name)))
    derivative = torch.autograd.grad
    torch.autograd.grad = watch.timed(derivative)
    try:
        yield
    finally:
        torch.autograd.grad = derivative
        for holder, name in watched:
            delattr(holder, name)


@dataclass
class Timed:
    """A teacher whose calls are watched."""

    teacher: Score
    watch: Stopwatch

    def __call__(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Loss:
        return self.watch.timed(self.teacher)(cameras, rendering, moment)

    def state_dict(self) -> dict[str, Any]:
        return self.teacher.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.teacher.load_state_dict(state)


@dataclass(frozen=True)
class Full:
    """A source of cameras whose pictures have their full size from the first step on."""

    source: CameraSource
    size: int

    def cameras(self, moment: Moment, *, views: int, width: int, height: int) -> Cameras:
        return self.source.cameras(moment, views=views, width=self.size, height=self.size)
