"""Gaussians and surfels in another frame: turned, scaled and shifted, with all that depends on directions."""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d import sh
from distill3d.representations._extra import EXTRA
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.rotation import multiply, wxyz_from_matrix

Primitives = Gaussians | Surfels
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

    Raises ValueError if the matrix is not a rotation times a positive scale, and a shift.
    """
    scale = torch.linalg.det(similarity[:3, :3]).clamp_min(0) ** (1 / 3)
    rotation = similarity[:3, :3] / scale
    last = similarity.new_tensor([0, 0, 0, 1])
    if not (scale > 0 and torch.allclose(rotation @ rotation.mT, torch.eye(3).to(rotation), atol=1e-6)):
        raise ValueError(f"given {similarity[:3, :3].tolist()}, expected a rotation times a positive scale")
    if not torch.equal(similarity[3], last):
        raise ValueError(f"given the last row {similarity[3].tolist()}, expected 0 0 0 1")
    state = {name: value.detach() for name, value in scene.state_dict().items()}
    means, wxyz = state["means"], state["wxyz"]
    state["means"] = (means.double() @ similarity[:3, :3].mT + similarity[:3, 3]).to(means)
    state["wxyz"] = multiply(wxyz_from_matrix(rotation).to(wxyz), wxyz)
    state["log_scales"] = state["log_scales"] + scale.log().to(means)
    state["sh"] = sh.rotate(state["sh"], rotation)
    if all(name in state for name in NORMALS):
        normals = torch.stack([state[name] for name in NORMALS], 1).double() @ rotation.mT
        state |= {name: normals[:, i].to(state[name]) for i, name in enumerate(NORMALS)}
    return type(scene).from_state(state)


def reframed(scene: Primitives, start: str, end: str) -> Primitives:
    """A copy of `scene` that stands in the frame `end` as it stood in `start`, both names of FRAMES."""
    similarity = torch.eye(4, dtype=torch.float64)
    rotation = torch.tensor(FRAMES[end]).double() @ torch.tensor(FRAMES[start]).double().mT
    similarity[:3, :3] = rotation
    return moved(scene, similarity)
