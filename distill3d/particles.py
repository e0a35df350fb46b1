"""Several scenes that are made together: the particles of ProlificDreamer (arXiv 2305.16213), section 3.1.

A method with a model of the scene's own pictures sees those of all of them, so that particles keep apart
where one scene alone could only sit at a mode. Every camera of a step takes a picture of each particle: of
the pictures in a row, number k is of particle k modulo their count (`Repeated` draws cameras so).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distill3d.camera import Cameras
from distill3d.distill import CameraSource
from distill3d.moment import Moment
from distill3d.rendering import Rendering, concatenate
from distill3d.scene import WANT, Scene
from distill3d.wrapped import bare


class Particles(Scene):
    """Scenes that learn side by side, each from its own pictures."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        super().__init__()
        self.scenes = nn.ModuleList(scenes)

    def __iter__(self) -> Iterator[Scene]:
        for scene in self.scenes:
            assert isinstance(scene, Scene)
            yield scene

    def __len__(self) -> int:
        return len(self.scenes)

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """Pictures of the particles in turn; a single camera sees the first one."""
        scenes = list(self)
        if not cameras.shape:
            return scenes[0].render(cameras, want=want)
        shown = scenes[: len(cameras)]
        pictures = concatenate(
            [scene.render(cameras[i :: len(self)], want=want) for i, scene in enumerate(shown)]
        )
        by_scene = torch.cat([torch.arange(i, len(cameras), len(self)) for i in range(len(shown))])
        return pictures[torch.argsort(by_scene)]

    def param_groups(self) -> list[dict[str, Any]]:
        """Those of all particles; `particle` says whose each is."""
        return [{**group, "particle": i} for i, scene in enumerate(self) for group in scene.param_groups()]

    def grow(
        self, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        for i, scene in enumerate(self):
            scene.grow(step, steps, _Share(optimizer, i), generator)

    def want(self, moment: Moment) -> Collection[str]:
        return {channel for scene in self for channel in scene.want(moment)}

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor | None:
        """The mean of the particles' own, as the teacher's loss is a mean over their pictures."""
        each = [
            scene.penalty(cameras[i :: len(self)], rendering[i :: len(self)], moment)
            for i, scene in enumerate(self)
        ]
        terms = [term.reshape(()) for term in each if term is not None]
        return torch.stack(terms).sum() / len(self) if terms else None


def first(scene: Scene) -> Scene:
    """The scene itself, or the first of several particles, without what is around it."""
    return bare(next(iter(scene)) if isinstance(scene, Particles) else scene)


def states(state: dict[str, Any]) -> list[dict[str, Any]]:
    """The particles' own `state_dict()`s, from that of them all."""
    apart: dict[int, dict[str, Any]] = {}
    for name, value in state.items():
        if name.startswith("scenes."):
            _, number, rest = name.split(".", 2)
            apart.setdefault(int(number), {})[rest] = value
    return [apart[number] for number in sorted(apart)]


@dataclass(frozen=True)
class Repeated:
    """A source of cameras that takes each of them so many times in a row, once for every particle."""

    source: CameraSource
    times: int

    def cameras(self, moment: Moment, *, views: int, width: int, height: int) -> Cameras:
        """`views` cameras, `times` times each."""
        drawn = self.source.cameras(moment, views=views, width=width, height=height)
        return drawn[torch.arange(len(drawn)).repeat_interleave(self.times)]


class _Share(torch.optim.Optimizer):
    """One particle's groups of an optimizer, and the moments of them all."""

    def __init__(self, whole: torch.optim.Optimizer, particle: int) -> None:
        self.param_groups = [group for group in whole.param_groups if group["particle"] == particle]
        self.state = whole.state
