"""Gaussians to surfels and back, in closed form: the third axis goes, or comes as a thin one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from distill3d.representations._primitives import Primitives
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.rotation import multiply

THIN = 0.01
"""Deviation along the normal of a Gaussian that was a surfel, as a share of its smaller other one."""
CYCLES = ((0.5, 0.5, 0.5, 0.5), (0.5, -0.5, -0.5, -0.5), (1.0, 0.0, 0.0, 0.0))
"""Turns wxyz that put axis 0, 1 or 2 where axis 2 is, and the two that follow it in its order first."""


def to_surfels(gaussians: Gaussians) -> Surfels:
    """Discs across each Gaussian's shortest axis; exact for Gaussians that are flat.

    All that is known of a primitive is kept but its deviation along that axis.
    """
    state = _detached(gaussians)
    shortest = state["log_scales"].argmin(-1)
    cycles = state["wxyz"].new_tensor(CYCLES)
    following = torch.stack([(shortest + 1) % 3, (shortest + 2) % 3], -1)
    state["wxyz"] = multiply(state["wxyz"], cycles[shortest])
    state["log_scales"] = state["log_scales"].gather(-1, following)
    state["surface_weights"] = state["means"].new_zeros(2)
    return Surfels.from_state(state)  # pyright: ignore[reportReturnType]


def to_gaussians(surfels: Surfels) -> Gaussians:
    """Gaussians that are thin along each surfel's normal; `to_surfels` gives the surfels back."""
    state = _detached(surfels)
    thin = state["log_scales"].amin(-1, keepdim=True) + math.log(THIN)
    state["log_scales"] = torch.cat([state["log_scales"], thin], -1)
    del state["surface_weights"]
    return Gaussians.from_state(state)  # pyright: ignore[reportReturnType]


def _detached(scene: Primitives) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in scene.state_dict().items()}
