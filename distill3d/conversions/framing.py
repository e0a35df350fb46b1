"""Where a scene is: the ball that holds what there is to see, and the primitives in it.

Our own scenes lie somewhere in the unit ball around the origin. Files of other programs lie anywhere, in any
unit, and those of Gaussians hold more than their subject: a backdrop, and single ones that have flown off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.field import CELLS, Field
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
STRAY_MARGIN, MARGIN = 1.2, 1.05
"""Of the radius: where some may be no strays, and where all are held, whose centres are not all there is."""

FITS = 1.1
"""How far from the origin a scene may reach for cameras that look at the unit ball."""


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
    """A ball around what a scene shows: the tighter, the finer what is made of it.

    A mesh and the cells of a field that are not empty are held whole. So are primitives in the unit ball, if
    most are there; elsewhere a backdrop does not count, nor a share that has flown off, and what is next to
    invisible counts nowhere. Raises ValueError where nothing is left.
    """
    if isinstance(scene, Mesh):
        return _around_all(_finite(scene.vertices()))
    if isinstance(scene, Field):
        cells = scene.occupied[0].nonzero().flip(-1).cpu()
        ball = _around_all(_finite((2 * cells + 1) / CELLS - 1))
        return _within_unit(replace(ball, radius=ball.radius + math.sqrt(3) / CELLS))
    if isinstance(scene, Primitives):
        points = _finite(scene.means[scene.opacity_logits.sigmoid() >= SHOWN])
        if _most(points.norm(dim=-1)) > UNIT.radius:
            return _around_most(points)
        ball = _around_all(points[UNIT.holds(points)])
        return _within_unit(replace(ball, radius=MARGIN * ball.radius))
    return UNIT


def around(scene: Scene, cameras: Cameras) -> Cameras:
    """Cameras [V] around the unit ball; around a scene that reaches out of it, as far as it is large."""
    ball = ball_around(scene)
    if ball.radius + float(ball.centre.norm()) <= FITS:
        return cameras
    world_to_camera = cameras.world_to_camera.clone()
    world_to_camera[:, :3, 3] *= ball.radius
    return ball.seen_from(replace(cameras, world_to_camera=world_to_camera))


def _finite(points: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
    points = points[points.isfinite().all(-1)].cpu()
    if not len(points):
        raise ValueError("the scene has nothing in it to be seen; render it first to see what is there")
    return points


def _within_unit(ball: Ball) -> Ball:
    """The unit ball if it is the smaller one: scenes of ours have nothing outside of it."""
    return ball if ball.radius < UNIT.radius else UNIT


def _around_all(points: Float[Tensor, "P 3"]) -> Ball:
    centre = (points.amin(0) + points.amax(0)) / 2
    return Ball(centre, float((points - centre).norm(dim=-1).max()))


def _around_most(points: Float[Tensor, "P 3"]) -> Ball:
    centre = points.median(0).values
    distances = (points - centre).norm(dim=-1)
    subject = distances[distances <= SPREAD * distances.median()]
    return Ball(centre, STRAY_MARGIN * _most(subject))


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
    if not keep.any():
        raise ValueError(f"nothing of the scene lies within {ball.radius:g} of {ball.centre.tolist()}")
    return type(scene).from_state(state)
