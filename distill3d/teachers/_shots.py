"""Pictures of a scene that a student learns from, and how wrong it was about each part of them.

Source of the exchange: Fang et al. 2023, PVD-AL (arXiv 2304.04012), on cameras: those that the student is
worst at stay, a little moved copies of them and new ones take the place of those that it knows.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.moment import Moment
from distill3d.rendering import Rendering, concatenate
from distill3d.rotation import matrix_from_wxyz
from distill3d.scene import Scene

AT_ONCE = 8
EXCHANGED = 0.1
"""The share of the shots that is exchanged at a time."""
MOVED_RAD = math.pi / 20
"""A camera that is moved a little goes about so far around the scene."""
UNSEEN = 1.0
"""Error of what the student was not asked about yet: larger than those it makes."""


@dataclass(frozen=True)
class Window:
    """Some of the pixels of each of B shots: `height` by `width` from `first` on, every `stride`-th."""

    shots: Int[Tensor, " B"]
    first: Int[Tensor, "B 2"]
    """Column and row."""
    tile: Int[Tensor, "B 2"]
    """The tile that it is, counted along columns and rows."""
    width: int
    height: int
    stride: int = 1

    def cameras(self, of: Cameras) -> Cameras:
        """Those that see just these pixels."""
        picked = of[self.shots]
        if self.stride > 1:
            return picked.thinned(self.stride, self.first)
        shift = torch.nn.functional.pad(self.first.to(picked.intrinsics), (2, 0))
        intrinsics = picked.intrinsics - shift
        return replace(picked, intrinsics=intrinsics, width=self.width, height=self.height)

    def of(self, picture: Float[Tensor, "N H W C"]) -> Float[Tensor, "B h w C"]:
        """The pixels themselves, of one channel."""
        columns, rows = (
            self.first[:, i, None] + self.stride * torch.arange(length, device=self.first.device)
            for i, length in enumerate((self.width, self.height))
        )
        return picture[self.shots[:, None, None], rows[:, :, None], columns[:, None]]

    def of_all(self, seen: Rendering) -> Rendering:
        """The pixels themselves, of all channels that are compared."""
        depth = None if seen.depth is None else self.of(seen.depth)
        normal = None if seen.normal is None else self.of(seen.normal)
        return Rendering(self.of(seen.rgb), self.of(seen.alpha), depth, normal)


@dataclass(frozen=True)
class Drawn:
    """Tiles of shots that were drawn by chance."""

    shots: Int[Tensor, " B"]
    tile: Int[Tensor, "B 2"]
    """Column and row."""


@dataclass
class Shots:
    """N pictures, each divided into tiles of about equal size."""

    cameras: Cameras
    seen: Rendering
    errors: Float[Tensor, "N Y X"]
    """Mean error of the student's colours in each tile when it was last looked at."""

    @classmethod
    @torch.no_grad()
    def of(
        cls, source: Scene, cameras: Cameras, want: Collection[str], errors: Float[Tensor, "N Y X"]
    ) -> Shots:
        """The source's pictures, from any number of cameras."""
        parts = [cameras[i : i + AT_ONCE] for i in range(0, len(cameras), AT_ONCE)]
        return cls(cameras, concatenate([source.render(part, want=want) for part in parts]), errors)

    def exchange(self, source: Scene, fresh: Cameras, want: Collection[str], moment: Moment) -> None:
        """Put `fresh` cameras and moved copies of the worst, as many, in the place of the best known."""
        count = len(fresh)
        order = self.errors.flatten(1).mean(1).argsort()
        poses = self.cameras.world_to_camera.clone()
        poses[order[:count]] = fresh.world_to_camera
        moved = poses[order[-count:]] @ around(count, moment)
        poses[order[count : 2 * count]] = moved
        self.cameras = replace(self.cameras, world_to_camera=poses)
        new = order[: 2 * count]
        taken = Shots.of(source, self.cameras[new], want, self.errors[new])
        for name, values in vars(self.seen).items():
            if values is not None:
                values[new] = getattr(taken.seen, name)
        self.errors[new] = UNSEEN

    def remember(self, window: Window, errors: Float[Tensor, " B"]) -> None:
        """How wrong the student was in what was looked at."""
        column, row = window.tile.unbind(-1)
        self.errors[window.shots, row, column] = errors

    def draw(self, views: int, active: float, moment: Moment) -> Drawn:
        """Tiles, a share `active` of them, as chance has it, by the errors, and the others evenly."""
        by_error = self.errors.flatten().clamp_min(1e-6)
        chances = active * by_error / by_error.sum() + (1 - active) / len(by_error)
        drawn = torch.multinomial(chances.cpu(), views, replacement=True, generator=moment.generator)
        drawn = drawn.to(moment.device)
        _, rows, columns = self.errors.shape
        tile = torch.stack([drawn % columns, drawn // columns % rows], -1)
        return Drawn(drawn // (rows * columns), tile)


def around(count: int, moment: Moment) -> Float[Tensor, "K 4 4"]:
    """Small random turns of the world around its origin."""
    half = MOVED_RAD * (moment.uniform(count, 3) - 0.5)
    turns = torch.eye(4, device=half.device).repeat(count, 1, 1)
    turns[:, :3, :3] = matrix_from_wxyz(torch.cat([half.new_ones(count, 1), half], 1))
    return turns
