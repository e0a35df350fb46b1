"""A scene around another: it is rendered, learns, grows and is saved as the scene that it holds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.moment import Moment
from distill3d.rendering import Rendering
from distill3d.scene import WANT, Scene


class Wrapped(Scene):
    """Passes everything on to `scene`; a kind of wrapper changes one thing. `distill` knows nothing of it."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.scene = scene

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        return self.scene.render(cameras, want=want)

    def param_groups(self) -> list[dict[str, Any]]:
        return self.scene.param_groups()

    def grow(
        self, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        self.scene.grow(step, steps, optimizer, generator)

    def want(self, moment: Moment) -> Collection[str]:
        return self.scene.want(moment)

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor | None:
        return self.scene.penalty(cameras, rendering, moment)

    def state_dict(self, *arguments: Any, **keywords: Any) -> Any:
        return self.scene.state_dict(*arguments, **keywords)

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        return self.scene.load_state_dict(state_dict, strict, assign)


def bare(scene: Scene) -> Scene:
    """The scene inside all that is around it."""
    while isinstance(scene, Wrapped):
        scene = scene.scene
    return scene
