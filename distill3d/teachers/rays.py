"""Rays to learn from: drawn evenly, or in part where the student is worst.

Source of the pools: Fang et al. 2023, PVD-AL (arXiv 2304.04012), on cameras and rays. A pool keeps what the
student was worst at. A share of each step is taken out of it, cameras a little moved, and the worst of the
step takes the place of what was taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.distill import CameraSource
from distill3d.moment import Moment
from distill3d.rotation import matrix_from_wxyz

SHARE = 0.1
"""Of the rays of a step that come from the pool, and that go into it."""
POOL_STEPS = 40
"""Steps whose worst rays the pool has room for."""
CAMERA_SHARE = 0.25
"""Of the cameras of a step that come from their pool; the paper's 0.1 is less than one of few."""
CAMERAS = 32
"""In their pool."""
MOVED_RAD = math.pi / 20
"""Cameras from the pool are turned by up to so much around each of the scene's axes."""


@dataclass(frozen=True)
class Rays:
    """Rays in the world, their directions of any length, and from which of the cameras they come."""

    origins: Float[Tensor, "R 3"]
    directions: Float[Tensor, "R 3"]
    cameras: Cameras
    camera: Int[Tensor, " R"]
    """An index into `cameras`; -1 for rays from elsewhere."""


@runtime_checkable
class RaySource(Protocol):
    """Draws the rays of a step, and hears how wrong the student was along them."""

    def draw(self, moment: Moment) -> Rays: ...

    def learned(self, rays: Rays, errors: Float[Tensor, " R"]) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass
class Evenly:
    """Rays through random places in the pictures of a rig's cameras, as many in each."""

    rig: CameraSource
    views: int
    rays: int
    size: int
    """Side of the pictures in pixels, of which only the field of view matters."""

    def draw(self, moment: Moment) -> Rays:
        return self.through(self.cameras(moment), moment)

    def cameras(self, moment: Moment) -> Cameras:
        return self.rig.cameras(moment, views=self.views, width=self.size, height=self.size)

    def through(self, cameras: Cameras, moment: Moment) -> Rays:
        each = max(1, self.rays // len(cameras))
        at = moment.uniform(len(cameras), each, 2) * cameras.intrinsics.new_tensor(
            [cameras.width, cameras.height]
        )
        focal, centre = cameras.intrinsics[:, None].split(2, -1)
        ahead = at.new_ones(len(cameras), each, 1)
        in_camera = torch.cat([(at - centre) / focal, ahead], -1)
        directions = in_camera @ cameras.world_to_camera[:, :3, :3]
        origins = cameras.centres[:, None].expand(directions.shape)
        camera = torch.arange(len(cameras), device=at.device).repeat_interleave(each)
        return Rays(origins.flatten(0, 1), directions.flatten(0, 1), cameras, camera)

    def learned(self, rays: Rays, errors: Float[Tensor, " R"]) -> None:
        """Nothing: the next rays are drawn in the same way."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state:
            raise ValueError(f"given a state with {sorted(state)}; rays drawn evenly have none")


@dataclass
class Hardest:
    """As `evenly`, but a share of the cameras and of the rays is what the student was worst at."""

    evenly: Evenly
    _poses: Pool = field(init=False, repr=False)
    _rays: Pool = field(init=False, repr=False)
    _taken: tuple[Int[Tensor, " K"], Int[Tensor, " K"]] = field(init=False, repr=False)
    """The places in both pools that the step took from, and that its worst will be put into."""

    def __post_init__(self) -> None:
        count = max(1, round(SHARE * self.evenly.rays))
        self._poses = Pool(torch.zeros(CAMERAS, 16))
        self._rays = Pool(torch.zeros(POOL_STEPS * count, 6))

    def draw(self, moment: Moment) -> Rays:
        drawn = self.evenly.cameras(moment)
        poses = drawn.world_to_camera.clone()
        of_poses, known = self._poses.take(max(1, round(CAMERA_SHARE * len(poses))), moment)
        if len(known):
            poses[: len(known)] = known.unflatten(1, (4, 4)) @ _turns(len(known), moment)
        rays = self.evenly.through(replace(drawn, world_to_camera=poses), moment)
        of_rays, hard = self._rays.take(max(1, round(SHARE * self.evenly.rays)), moment)
        self._taken = of_poses, of_rays
        return Rays(
            torch.cat([rays.origins, hard[:, :3]]),
            torch.cat([rays.directions, hard[:, 3:]]),
            rays.cameras,
            torch.cat([rays.camera, rays.camera.new_full((len(hard),), -1)]),
        )

    def learned(self, rays: Rays, errors: Float[Tensor, " R"]) -> None:
        """Keep the worst cameras, by the mean error of their rays, and the worst rays."""
        of_poses, of_rays = self._taken
        own = rays.camera >= 0
        total = errors.new_zeros(len(rays.cameras)).index_add(0, rays.camera[own], errors[own])
        worst = total.topk(len(of_poses)).indices
        self._poses.put(of_poses, rays.cameras.world_to_camera[worst].flatten(1))
        worst = errors.topk(len(of_rays)).indices
        self._rays.put(of_rays, torch.cat([rays.origins, rays.directions], 1)[worst])

    def state_dict(self) -> dict[str, Any]:
        return {"poses": self._poses.state_dict(), "rays": self._rays.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._poses.load_state_dict(state["poses"])
        self._rays.load_state_dict(state["rays"])


@dataclass
class Pool:
    """Rows that were put in. Those that are taken stay until others take their place."""

    rows: Float[Tensor, "N C"]
    filled: int = 0

    def take(self, count: int, moment: Moment) -> tuple[Int[Tensor, " K"], Float[Tensor, "M C"]]:
        """Where to put the next `count` rows, and what is there: nothing until the pool is full."""
        self.rows = self.rows.to(moment.device)
        if self.filled < len(self.rows):
            count = min(count, len(self.rows) - self.filled)
            return self.filled + torch.arange(count), self.rows[:0]
        places = torch.randperm(len(self.rows), generator=moment.generator)[:count]
        return places, self.rows[places]

    def put(self, places: Int[Tensor, " K"], rows: Float[Tensor, "K C"]) -> None:
        self.rows[places] = rows
        self.filled = max(self.filled, int(places.max()) + 1)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows.clone(), "filled": self.filled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows, self.filled = state["rows"].clone(), int(state["filled"])


def _turns(count: int, moment: Moment) -> Float[Tensor, "K 4 4"]:
    """Small random rotations of the world around its origin."""
    half = MOVED_RAD * (moment.uniform(count, 3) - 0.5)
    wxyz = torch.cat([half.new_ones(count, 1), half], 1)
    turns = torch.eye(4, device=half.device).repeat(count, 1, 1)
    turns[:, :3, :3] = matrix_from_wxyz(torch.nn.functional.normalize(wxyz, dim=1))
    return turns
