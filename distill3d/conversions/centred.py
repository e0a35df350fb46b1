"""A scene that lies anywhere, moved into the unit ball, where our cameras look and our fields are."""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d.conversions.framing import STRAY_SHARE, UNIT, Ball, ball_around, cropped
from distill3d.conversions.moved import moved
from distill3d.field import Field
from distill3d.representations._primitives import Primitives
from distill3d.representations.mesh import Mesh
from distill3d.scene import Scene

FILLED = 0.95
"""Radius of what there is to see, in the unit ball."""
SMALLEST, LARGEST = 1e-12, 1e12
"""Radii of scenes between which float32 holds them, their areas and their volumes."""


def centred(source: Scene) -> Scene:
    """The scene itself where it lies in the unit ball already, else a copy that does.

    What is far from all the rest of splats is left out: see `framing`. The copy's `scene_transform` leads to
    where it lies. Raises ValueError if there is nothing to see.
    """
    if isinstance(source, Field):
        _not_empty(source)
    if isinstance(source, Mesh):
        _not_flat(source)
    ball = ball_around(source)
    if _in_unit(source):
        return source
    return _moved(cropped(source, ball) if isinstance(source, Primitives) else source, _into_unit(ball))


def put_back(made: Scene, source: Scene, centre: Scene) -> Scene:
    """What was made of `centre`, which is `centred(source)`, to where the source lies; fields stay.

    A field's `scene_transform` leads on to where it is.
    """
    if centre is source or isinstance(made, Field):
        return made
    similarity = source.scene_transform @ torch.linalg.inv(centre.scene_transform)
    back = _moved(made, similarity)
    back.scene_transform.copy_(source.scene_transform)
    return back


def left_out(source: Scene) -> int:
    """How many splats of a scene are too far from the rest to be converted."""
    if not isinstance(source, Primitives) or _in_unit(source):
        return 0
    return int((~ball_around(source).holds(source.means.detach())).sum())


def _in_unit(scene: Scene) -> bool:
    """Whether a scene lies in the unit ball: all of it, or but for a few splats."""
    if isinstance(scene, Mesh):
        return bool(UNIT.holds(scene.vertices().detach()).all())
    if isinstance(scene, Primitives):
        return float((~UNIT.holds(scene.means.detach())).float().mean()) <= STRAY_SHARE
    return True


def _moved(scene: Scene, similarity: Float64[Tensor, "4 4"]) -> Scene:
    if isinstance(scene, Primitives):
        return moved(scene, similarity)
    if not isinstance(scene, Mesh):
        raise TypeError(f"given a {type(scene).__name__} to move, expected splats or a mesh")
    shape = scene.as_trimesh()
    shape.apply_transform(similarity.numpy())
    there = Mesh.from_trimesh(shape)
    there.scene_transform.copy_(similarity @ scene.scene_transform)
    return there


def _not_empty(field: Field) -> None:
    from distill3d.conversions.inherited import look_into

    look_into(field)
    if not field.occupied.any():
        raise ValueError(
            "the field is empty: no density in the unit ball; render it first to see what is there"
        )


def _not_flat(mesh: Mesh) -> None:
    corners = mesh.vertices().detach().double()[mesh.faces.long()]
    doubled = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if not doubled.norm(dim=-1).sum() > 0:
        raise ValueError(
            "the mesh has no surface: it has no triangles, or none of them has an area; give one with faces"
        )


def _into_unit(ball: Ball) -> Float64[Tensor, "4 4"]:
    """What moves the ball around the origin, a little smaller than the unit ball.

    Raises ValueError for a ball without bounds that numbers could hold.
    """
    if not SMALLEST < ball.radius < LARGEST:
        raise ValueError(
            f"the scene has no bounds that can be: it reaches {ball.radius:.3g} from its middle, and "
            f"{SMALLEST:g} to {LARGEST:g} was expected; scale it first, or take out what lies far away"
        )
    similarity = torch.eye(4, dtype=torch.float64)
    scale = FILLED / ball.radius
    similarity[:3, :3] *= scale
    similarity[:3, 3] = -scale * ball.centre.double()
    return similarity
