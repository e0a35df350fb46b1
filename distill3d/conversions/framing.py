"""Where a scene is: the ball that holds what there is to see, and the primitives in it.

Our own scenes lie in the unit ball around the origin. Files of other programs lie anywhere, in any unit, and
files of Gaussians hold more than their subject: a backdrop far away, and single ones that have flown off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.representations._extra import EXTRA
from distill3d.representations._primitives import LEARNED, Primitives
from distill3d.representations.mesh import Mesh
from distill3d.scene import Scene

SHOWN = 0.1
"""Opacity under which a primitive says nothing about where the scene is."""
SPREAD = 4.0
"""Radii of the ball around the nearer half of the primitives, beyond which lies a backdrop."""
STRAY_SHARE = 0.02
"""Of the primitives this side of the backdrop, how many may have flown off."""
MARGIN = 1.2
"""Of the radius, for what those hold who do not count as strays."""


@dataclass(frozen=True)
class Ball:
    """A part of space."""

    centre: Float[Tensor, "3"]
    radius: float

    def holds(self, points: Float[Tensor, "P 3"]) -> Bool[Tensor, " P"]:
        return (points - self.centre.to(points)).norm(dim=-1) <= self.radius

    def seen_from(self, cameras: Cameras) -> Cameras:
        """Cameras that stand around the origin, put around the centre: both see the same there."""
        shift = torch.eye(4)
        shift[:3, 3] = -self.centre
        return replace(cameras, world_to_camera=cameras.world_to_camera @ shift.to(cameras.world_to_camera))


UNIT = Ball(torch.zeros(3), 1.0)


@torch.no_grad()
def ball_around(scene: Scene) -> Ball:
    """The unit ball where a scene lies in it, as every field does; else a ball around what it shows.

    A mesh is held whole. Of primitives, those that are next to invisible do not count, nor a backdrop, nor a
    share that is far from all others. Raises ValueError where nothing is left.
    """
    if isinstance(scene, Mesh):
        return _around_all(_finite(scene.vertices()))
    if isinstance(scene, Primitives):
        return _around_most(_finite(scene.means[scene.opacity_logits.sigmoid() >= SHOWN]))
    return UNIT


def _finite(points: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
    points = points[points.isfinite().all(-1)].cpu()
    if not len(points):
        raise ValueError("the scene has nothing in it to be seen; render it first to see what is there")
    return points


def _around_all(points: Float[Tensor, "P 3"]) -> Ball:
    if points.norm(dim=-1).max() <= UNIT.radius:
        return UNIT
    centre = (points.amin(0) + points.amax(0)) / 2
    return Ball(centre, float((points - centre).norm(dim=-1).max()) * 1.001)


def _around_most(points: Float[Tensor, "P 3"]) -> Ball:
    if _most(points.norm(dim=-1)) <= UNIT.radius:
        return UNIT
    centre = points.median(0).values
    distances = (points - centre).norm(dim=-1)
    subject = distances[distances <= SPREAD * distances.median()]
    return Ball(centre, MARGIN * _most(subject))


def _most(values: Float[Tensor, " P"]) -> float:
    """What all but STRAY_SHARE of the values come up to."""
    return float(values.kthvalue(max(math.ceil((1 - STRAY_SHARE) * len(values)), 1)).values)


@torch.no_grad()
def cropped(scene: Primitives, ball: Ball) -> Primitives:
    """The primitives whose centres the ball holds, less those that are larger than the ball itself."""
    keep = ball.holds(scene.means) & (scene.log_scales.amax(-1).exp() <= ball.radius)
    rowed = (*LEARNED, "pull")
    state = {
        name: value[keep] if name in rowed or name.startswith(EXTRA) else value
        for name, value in scene.state_dict().items()
    }
    return type(scene).from_state(state)
