"""Scene: the contract of everything that can be rendered. Its kinds live in representations/."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from distill3d.camera import Cameras
from distill3d.rendering import Rendering

WANT = ("rgb", "alpha")


class Scene(nn.Module):
    """A scene is a module with a renderer: its tensors are what is learned, its state_dict is what is saved.

    A kind of scene is one file in representations/ with a class of the file's name in CamelCase.
    """

    @classmethod
    def start(cls) -> Scene:
        """A fresh scene to be distilled into; in each kind, its keywords are the --scene.* flags."""
        raise TypeError(f"{cls.__name__} cannot be started from nothing")

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Scene:
        """The scene whose `state_dict()` was `state`; tensors may have any count of primitives."""
        raise TypeError(f"{cls.__name__} cannot be restored")

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """Pictures from `cameras`, differentiable in the scene's parameters.

        `want` names channels of `Rendering`: rgb and alpha always come, depth, normal and features when asked
        for.
        """
        raise TypeError(f"{type(self).__name__} cannot be rendered")

    def param_groups(self) -> list[dict[str, Any]]:
        """Optimizer groups {name, params, lr, lr_final?}: learning rates live with what they move.

        With `lr_final` the loop moves the rate geometrically from lr to lr_final over the run.
        """
        raise TypeError(f"{type(self).__name__} has nothing to learn")

    def grow(
        self, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        """Densify and prune after step `step` of `steps`, and the optimizer's moments alike; here nothing."""

    def penalty(self) -> torch.Tensor | None:
        """A regulariser of the scene's own, added to the teacher's loss. None by default."""
        return None
