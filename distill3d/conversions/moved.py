"""Gaussians and surfels in another frame: turned, scaled and shifted, with all that depends on directions."""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d import sh
from distill3d.representations._extra import EXTRA
from distill3d.representations._primitives import Primitives
from distill3d.rotation import change_of_frame, multiply, scale_and_rotation, wxyz_from_matrix

NORMALS = [f"{EXTRA}n{axis}" for axis in "xyz"]
FRAMES = {
    "z-up": [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
    "y-up": [[0.0, 1, 0], [0, 0, 1], [1, 0, 0]],
    "y-down": [[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]],
}
"""Rotations from our world, which is +z up and faces +x: to glTF's, which is +y up and faces +z, and to that
of cameras, half a turn from it around x, in which the files of 3D Gaussian Splatting usually are."""


def moved(scene: Primitives, similarity: Float64[Tensor, "4 4"]) -> Primitives:
    """A copy of `scene` whose point x lies at `similarity` x; pictures from cameras moved alike are the same.

    Its `scene_transform` leads on to where it lies. Raises ValueError if the matrix is not a rotation times a
    positive scale, and a shift.
    """
    scale, rotation = scale_and_rotation(similarity)
    state = {name: value.detach() for name, value in scene.state_dict().items()}
    means, wxyz = state["means"], state["wxyz"]
    state["means"] = (means.double() @ similarity[:3, :3].mT + similarity[:3, 3]).to(means)
    state["wxyz"] = multiply(wxyz_from_matrix(rotation).to(wxyz), wxyz)
    state["log_scales"] = state["log_scales"] + scale.log().to(means)
    state["sh"] = sh.rotate(state["sh"], rotation)
    if all(name in state for name in NORMALS):
        normals = torch.stack([state[name] for name in NORMALS], 1).double() @ rotation.mT
        state |= {name: normals[:, i].to(state[name]) for i, name in enumerate(NORMALS)}
    state["scene_transform"] = similarity @ state["scene_transform"]
    return type(scene).from_state(state)


def turn(start: str, end: str) -> Float64[Tensor, "4 4"]:
    """What moves a scene that stands in the frame `start` into `end`, both names of FRAMES."""
    similarity = torch.eye(4, dtype=torch.float64)
    similarity[:3, :3] = change_of_frame(torch.tensor(FRAMES[start]), torch.tensor(FRAMES[end]))
    return similarity
