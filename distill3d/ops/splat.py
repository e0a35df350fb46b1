"""3-D Gaussians to pictures, differentiably. What a pixel owes to each Gaussian is in `splat_lift`.

Source: Kerbl et al. 2023, 3D Gaussian Splatting (arXiv 2308.04079); the exact rules are in `splat_reference`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _splat_gsplat, _splat_kernels, backends, splat_reference
from distill3d.ops._splat_checks import check_batch, check_colours, check_gaussians, check_shape
from distill3d.sh import degree_of

_IN_PYTHON = {"reference": splat_reference.splat, "gsplat": _splat_gsplat.splat}


@dataclass(frozen=True)
class SplatImages:
    """Pictures of Gaussians, premultiplied by alpha; *B is the cameras' batch shape."""

    colours: Float[Tensor, "*B H W C"]
    alpha: Float[Tensor, "*B H W 1"]
    depth: Float[Tensor, "*B H W 1"]
    """Σ w z, with z the camera's z of the splat's centre."""
    radius_px: Float[Tensor, "*B N"]
    """Radius of the circle around all that can be seen of a splat; 0 where it is not drawn. No gradient."""
    radiance: Float[Tensor, "*B H W 3"] | None = None
    """Σ w c, with c the colour of the harmonics towards the camera; None without harmonics."""
    normal: Float[Tensor, "*B H W 3"] | None = None
    """Σ w n, with n the splat's shortest axis in the world, turned to the camera; None if not asked for."""


def splat(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, "N"],
    colours: Float[Tensor, "*#B N C"],
    cameras: Cameras,
    *,
    sh: Float[Tensor, "N K 3"] | None = None,
    normals: bool = False,
    probe: Float[Tensor, "*B N 2"] | None = None,
    absolute_probe: Float[Tensor, "*B N 2"] | None = None,
    blur_px: float = 0.3,
    antialiased: bool = False,
) -> SplatImages:
    """Draw Gaussians; differentiable in every tensor but the cameras.

    `means` and the standard deviations `scales` are in world units, `wxyz` of any length but zero,
    `opacities` in (0, 1], and `colours` are any C channels, shared by all cameras [N, C] or given for each
    [*B, N, C]. `sh` are 1, 4, 9 or 16 harmonics, which are drawn beside the colours as
    `distill3d.sh.radiance` shows them; with `normals` the normals are drawn too. All is drawn in one pass.

    `blur_px` is added to each footprint's variances, in px². It makes small splats larger; with `antialiased`
    their opacity falls by as much, so that a picture of any size shows the same scene.

    `probe` is added to the projected centres, in pixels: give zeros, and its gradient is the derivative of
    the loss by each centre in each picture. `absolute_probe` changes nothing: its gradient is the sum over
    pixels of the absolute value of that derivative, which does not cancel where pixels pull a splat apart.

    A splat is seen where its alpha, at most 0.999, is at least 1/255. A pixel takes no more once less than
    1e-4 of its light is left; the splat that takes it there still counts. Splats with a number that is not
    finite, or with their centre outside the near and far planes, are not drawn, and their gradients are zero.

    Raises TypeError for other than float32 on the compiled backends, ValueError for shapes that do not agree.
    """
    count = len(means)
    check_gaussians(means, wxyz, scales, opacities, cameras)
    check_colours(colours, cameras, count)
    if sh is not None:
        check_shape("sh", sh, (count, (degree_of(sh.shape[1] if sh.ndim == 3 else 0) + 1) ** 2, 3))
    check_batch("probe", probe, cameras, count)
    check_batch("absolute_probe", absolute_probe, cameras, count)

    optional = [values for values in (sh, probe, absolute_probe) if values is not None]
    backend = backends.choose(
        "splat",
        means,
        wxyz,
        scales,
        opacities,
        colours,
        cameras.world_to_camera,
        cameras.intrinsics,
        *optional,
    )
    run = _IN_PYTHON.get(backend) or partial(_splat_kernels.splat, backend)
    image, alpha, depth, radius_px, radiance, normal = run(
        means,
        wxyz,
        scales,
        opacities,
        colours,
        cameras,
        probe,
        blur_px,
        absolute_probe=absolute_probe,
        sh=sh,
        normals=normals,
        antialiased=antialiased,
    )
    return SplatImages(
        image, alpha, depth, radius_px, None if sh is None else radiance, normal if normals else None
    )
