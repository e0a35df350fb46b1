"""3-D Gaussians to pictures, differentiably."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import splat_reference


@dataclass(frozen=True)
class SplatImages:
    """Pictures of Gaussians, premultiplied by alpha; *B is the cameras' batch shape."""

    colours: Float[Tensor, "*B H W C"]
    alpha: Float[Tensor, "*B H W 1"]
    depth: Float[Tensor, "*B H W 1"]
    """Σ w z, with z the camera's z of the splat's centre."""
    radius_px: Float[Tensor, "*B N"]
    """Radius of the circle around all that is seen of a splat; 0 where it is not drawn. No gradient."""


def splat(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    colours: Float[Tensor, "N C"],
    cameras: Cameras,
    *,
    probe: Float[Tensor, "*B N 2"] | None = None,
    blur_px: float = 0.3,
) -> SplatImages:
    """Draw Gaussians with the given world-space `means`, standard deviations `scales` and opacities in (0, 1]."""
    return SplatImages(
        *splat_reference.splat(means, wxyz, scales, opacities, colours, cameras, probe, blur_px)
    )
