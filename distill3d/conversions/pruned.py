"""Gaussians or surfels to fewer of them, and to colours of a lower degree: what is seen least goes.

Source: Fan et al. 2023, LightGaussian (arXiv 2311.17245), section 3.2: the global significance of a splat is
what it adds to all pictures, times a power of its volume,

GS_j = γ(Σ_j) Σ_views Σ_pixels α_j T_j,   γ = min(V_j / V_90, 1)^β,

with V_90 the volume under which nine of ten are. What is lost comes back in part by `teachers.scene`, with
the scene itself as it was for a source.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import sh
from distill3d.camera import Cameras
from distill3d.conversions.between_primitives import to_gaussians
from distill3d.ops.splat_lift import weigh
from distill3d.representations._extra import EXTRA
from distill3d.representations._primitives import LEARNED
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.survey import surround

POWER = 0.1
"""β: how much the volume counts."""
USUAL = 0.9
"""The share of splats whose volume is under the one from which on it counts as one."""
VIEWS, SIZE_PX = 48, 256
"""Of the pictures in which splats are counted where none are given."""
AT_ONCE = 8

Kind = TypeVar("Kind", Gaussians, Surfels)


@torch.no_grad()
def significance(
    scene: Gaussians | Surfels, cameras: Cameras | None = None, *, power: float = POWER
) -> Float[Tensor, " N"]:
    """GS of each splat over `cameras` [V], by default all around the unit ball; 0 where it is not seen."""
    whole = to_gaussians(scene) if isinstance(scene, Surfels) else scene
    if cameras is None:
        cameras = surround(VIEWS, size_px=SIZE_PX, lowest_elevation_rad=-1.2)
    scales, opacity = whole.log_scales.exp(), whole.opacity_logits.sigmoid()
    total = torch.zeros_like(opacity)
    for first in range(0, len(cameras), AT_ONCE):
        some = cameras[first : first + AT_ONCE].to(opacity.device)
        splats = whole.means, whole.wxyz, scales, opacity
        total += weigh(*splats, some, antialiased=bool(whole.antialiased)).weight.sum(0)
    log_volume = scene.log_scales.sum(-1)
    return total * (power * (log_volume - log_volume.quantile(USUAL)).clamp_max(0)).exp()


def pruned(scene: Kind, *, count: int, cameras: Cameras | None = None) -> Kind:
    """The `count` most significant splats, in their order, or all where there are no more.

    Raises ValueError for a count under 1.
    """
    if count < 1:
        raise ValueError(f"given count {count}, expected 1 or more splats to keep")
    ranked = significance(scene, cameras).sort(descending=True, stable=True).indices
    return _of_rows(scene, ranked[:count].sort().values)


def of_degree(scene: Kind, degree: int) -> Kind:
    """The same splats with harmonics up to `degree`: those of a higher one go.

    Harmonics are orthogonal, so that what is left is nearest to what was there over all directions. Raises
    ValueError for a degree that there is not.
    """
    if not 0 <= degree <= sh.MAX_DEGREE:
        raise ValueError(f"given degree {degree}, expected 0 to {sh.MAX_DEGREE}")
    state = {name: value.detach() for name, value in scene.state_dict().items()}
    state["sh"] = state["sh"][:, : (degree + 1) ** 2]
    state["degree"] = torch.minimum(state["degree"], torch.full_like(state["degree"], degree))
    return type(scene).from_state(state)  # pyright: ignore[reportReturnType]


def _of_rows(scene: Kind, rows: Tensor) -> Kind:
    state = {name: value.detach() for name, value in scene.state_dict().items()}
    per_splat = {*LEARNED, "pull", *(name for name in state if name.startswith(EXTRA))}
    state |= {name: state[name][rows] for name in per_splat}
    state["limit"] = torch.full_like(state["limit"], len(rows))
    return type(scene).from_state(state)  # pyright: ignore[reportReturnType]
