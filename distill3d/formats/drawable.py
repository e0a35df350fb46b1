"""Whether the numbers of a file make a scene that can be drawn: a picture of one pixel is drawn of it.

What fits together in one kind of scene is known to that kind alone, and to the operations that draw it. They
check all shapes before anything else, and the pixel looks away from the scene, so that this costs little.
"""

from __future__ import annotations

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.field import Field
from distill3d.representations._placed import Placed
from distill3d.representations._primitives import Primitives
from distill3d.scene import Scene

AWAY = -1e6
"""Where the world's origin is along the camera's axis: behind it, like all around it."""


@torch.no_grad()
def check(scene: Scene) -> None:
    """Raise an exception of any kind if a tensor has another shape or type than the scene needs."""
    world_to_camera = torch.eye(4)
    world_to_camera[2, 3] = AWAY
    cameras = Cameras(world_to_camera[None], torch.tensor([[1.0, 1.0, 0.5, 0.5]]), 1, 1)
    _shape("colours of a picture", scene.render(cameras).rgb, 1, 1, 1, 3)
    if isinstance(scene, Primitives):
        _check_rows(scene)
    elif isinstance(scene, Field):
        _check_point(scene)
    elif "colour_logits" in (state := scene.state_dict()) and "uv" not in state:
        _shape("colours of vertices", state["colour_logits"], *state["unsmoothed"].shape)


def _check_rows(scene: Primitives) -> None:
    """Each primitive has a row in the columns that no picture shows."""
    count = len(scene.means)
    _shape("pull", scene.pull, count)
    for name, column in scene.extra.named_buffers():
        _shape(name, column, count, *column.shape[1:])


def _check_point(scene: Field) -> None:
    """What a field answers, since a ray that meets nothing asks for nothing."""
    along = torch.tensor([[0.0, 0.0, 1.0]])
    log_density, rgb, _ = scene.query(torch.zeros(1, 3), along if scene.directional else None)
    _shape("densities of a point", log_density, 1)
    _shape("colours of a point", rgb, 1, 3)
    if isinstance(scene, Placed):
        _shape("to_source", scene.to_source, 3, 4)
        _shape("cube", scene.cube, 2, 3)
        _shape("drawn", scene.drawn, 2, 3)


def _shape(what: str, given: Tensor, *expected: int) -> None:
    if given.shape != expected:
        raise ValueError(f"given {what} {tuple(given.shape)}, expected {expected}")
