"""3-D Gaussians to pictures, differentiably.

Source: Kerbl et al. 2023, 3D Gaussian Splatting (arXiv 2308.04079); the exact rules are in `splat_reference`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _splat_kernels, backends, splat_reference


@dataclass(frozen=True)
class SplatImages:
    """Pictures of Gaussians, premultiplied by alpha; *B is the cameras' batch shape."""

    colours: Float[Tensor, "*B H W C"]
    alpha: Float[Tensor, "*B H W 1"]
    depth: Float[Tensor, "*B H W 1"]
    """Σ w z, with z the camera's z of the splat's centre."""
    radius_px: Float[Tensor, "*B N"]
    """Radius of the circle around all that can be seen of a splat; 0 where it is not drawn. No gradient."""


def splat(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, N],
    colours: Float[Tensor, "N C"],
    cameras: Cameras,
    *,
    probe: Float[Tensor, "*B N 2"] | None = None,
    blur_px: float = 0.3,
) -> SplatImages:
    """Draw Gaussians; differentiable in every tensor but the cameras.

    `means` and the standard deviations `scales` are in world units, `wxyz` of any length but zero,
    `opacities` in (0, 1], and `colours` are any C channels. `probe` is added to the projected centres, in
    pixels: give zeros, and its gradient is the loss's derivative by each centre in each picture. `blur_px` is
    added to each footprint's variances, in px².

    A splat is seen where its alpha, at most 0.999, is at least 1/255. A pixel takes no more once less than
    1e-4 of its light is left; the splat that takes it there still counts. Splats with a number that is not
    finite, or with their centre outside the near and far planes, are not drawn, and their gradients are zero.

    Raises TypeError for other than float32 on the compiled backend, ValueError for shapes that do not agree.
    """
    _check(means, wxyz, scales, opacities, colours, cameras, probe)
    backend = backends.choose(
        "splat", means, wxyz, scales, opacities, colours, cameras.world_to_camera, cameras.intrinsics
    )
    run = splat_reference.splat if backend == "reference" else partial(_splat_kernels.splat, backend)
    return SplatImages(*run(means, wxyz, scales, opacities, colours, cameras, probe, blur_px))


def _check(
    means: Tensor,
    wxyz: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colours: Tensor,
    cameras: Cameras,
    probe: Tensor | None,
) -> None:
    count = means.shape[0]
    expected = {"means": (count, 3), "wxyz": (count, 4), "scales": (count, 3), "opacities": (count,)}
    given = {"means": means, "wxyz": wxyz, "scales": scales, "opacities": opacities}
    if probe is not None:
        expected["probe"], given["probe"] = (*cameras.shape, count, 2), probe
    for name, tensor in given.items():
        if tuple(tensor.shape) != expected[name]:
            raise ValueError(
                f"given {name} {tuple(tensor.shape)}, expected {expected[name]} beside {count} means"
            )
    if colours.ndim != 2 or colours.shape[0] != count:
        raise ValueError(f"given colours {tuple(colours.shape)}, expected ({count}, any number of channels)")
    if cameras.shape.numel() == 0:
        raise ValueError("given no camera; give cameras whose batch shape has at least one element")
