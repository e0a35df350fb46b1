"""Scene: the contract of everything that can be rendered. Its kinds live in representations/."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from distill3d.camera import Cameras
from distill3d.moment import Moment
from distill3d.rendering import Rendering

WANT = ("rgb", "alpha")
PRESETS = {"quick": {"steps": 1500}, "standard": {"steps": 5000}, "high": {"steps": 20000}}
"""How long a scene is fitted to photographs. The file of a kind may have its own PRESETS, which also give
`views`, `rays` and values for keywords of its `from_photographs`; it is read without running the file."""


@dataclass(frozen=True)
class Seen:
    """What is known of a place before a scene is fitted to its photographs, in our world."""

    cameras: Cameras
    """Those of all N photographs to learn from, at their full size."""
    points: Float[Tensor, "P 3"] | None = None
    """Sparse points on surfaces, where structure from motion has found some."""
    colours: Float[Tensor, "P 3"] | None = None
    """The points' colours, in [0, 1]."""


class Scene(nn.Module):
    """A scene is a module with a renderer: its tensors are what is learned, its state_dict is what is saved.

    A kind of scene is one file in representations/ with a class of the file's name in CamelCase.
    """

    photographed: Tensor
    """Whether the scene learns from photographs, which want other rates and penalties than a score does."""
    scene_transform: Float64[Tensor, "4 4"]
    """From the world of what the scene was made from, such as a dataset's, to its own: a similarity. The
    identity where there is no other world, or none is known."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("photographed", torch.tensor(False))
        self.register_buffer("scene_transform", torch.eye(4, dtype=torch.float64))

    @classmethod
    def start(cls) -> Scene:
        """A fresh scene to be distilled into; in each kind, its keywords are the --scene.* flags."""
        raise TypeError(f"{cls.__name__} cannot be started from nothing")

    @classmethod
    def from_photographs(cls, seen: Seen, **flags: Any) -> Scene:
        """A fresh scene to be fitted to photographs; `photographed` is set, and stays so in its state.

        Keywords become the flags of `fit --scene.*`. By default the scene starts as for a distillation.
        """
        scene = cls.start(**flags)
        scene.photographed.fill_(True)
        return scene

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Scene:
        """The scene whose `state_dict()` was `state`; tensors may have any count of primitives."""
        raise TypeError(f"{cls.__name__} cannot be restored")

    @property
    def device(self) -> torch.device:
        """Where the scene's tensors lie, and its pictures with them."""
        return next(self.parameters(), self.photographed).device

    @property
    def knows_source(self) -> bool:
        """Whether the scene was made from something in another world, and knows the way from there."""
        return not torch.equal(self.scene_transform, torch.eye(4).to(self.scene_transform))

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """Pictures from `cameras`, differentiable in the scene's parameters.

        `want` names channels of `Rendering`: rgb and alpha always come, the others when asked for.
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

    def want(self, moment: Moment) -> Collection[str]:
        """The channels that `penalty` reads at this moment, and that are rendered for it."""
        return WANT

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor | None:
        """A regulariser of the scene's own, added to the teacher's loss. None by default.

        `rendering` is what the teacher sees, from `cameras`, with the channels that `want` has named.
        """
        return None

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """As nn.Module; scenes from before they could learn from photographs do not, and know one world."""
        state_dict.setdefault(f"{prefix}photographed", torch.tensor(False))
        state_dict.setdefault(f"{prefix}scene_transform", torch.eye(4, dtype=torch.float64))
        super()._load_from_state_dict(state_dict, prefix, *rest)
