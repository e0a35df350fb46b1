"""Flat Gaussians on discs (surfels) to pictures, differentiably: surfaces with depth and normals.

Source: Huang et al. 2024, 2D Gaussian Splatting (arXiv 2403.17888); the exact rules are in
`surfels_reference`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _surfels_gsplat, _surfels_kernels, backends, surfels_reference

_IN_PYTHON = {"reference": surfels_reference.surfels, "gsplat": _surfels_gsplat.surfels}


@dataclass(frozen=True)
class SurfelImages:
    """Pictures of surfels, premultiplied by alpha; *B is the cameras' batch shape."""

    colours: Float[Tensor, "*B H W C"]
    alpha: Float[Tensor, "*B H W 1"]
    depth: Float[Tensor, "*B H W 1"]
    """Σ w z, with z the camera's z of where the pixel's ray meets the surfel."""
    median_depth: Float[Tensor, "*B H W 1"]
    """The z of the last surfel that more than half of the light reaches, or 0. Not premultiplied."""
    normal: Float[Tensor, "*B H W 3"]
    """Σ w n, in world coordinates; each n is of unit length and faces the camera."""
    distortion: Float[Tensor, "*B H W 1"]
    """Σ w_i w_j (m_i - m_j)² over all pairs, with depths m mapped as in the paper."""
    radius_px: Float[Tensor, "*B N"]
    """Half the longest axis of the ellipse around all that can be seen of a surfel; 0 where it is not drawn.
    No gradient."""


def surfels(
    means: Float[Tensor, "N 3"],
    wxyz: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 2"],
    opacities: Float[Tensor, N],
    colours: Float[Tensor, "N C"] | Float[Tensor, "*B N C"],
    cameras: Cameras,
    *,
    probe: Float[Tensor, "*B N 2"] | None = None,
) -> SurfelImages:
    """Draw surfels; differentiable in every tensor but the cameras.

    `means` and the standard deviations `scales` along the discs' two axes are in world units. `wxyz`, of any
    length but zero, turns the x and y axes into the disc's axes and z into its normal; both sides are drawn.
    `opacities` are in (0, 1], and `colours` are any C channels, the same for all cameras or each camera's
    own. `probe` is added to the projected discs, in pixels: give zeros, and its gradient is the loss's
    derivative by each disc's place in each picture.

    A surfel is seen where its alpha, at most 0.999, is at least 1/255. A pixel takes no more once less than
    1e-4 of its light is left; the surfel that takes it there still counts. Surfels with a number that is not
    finite, or with their centre outside the near and far planes, are not drawn, and their gradients are zero.

    Raises TypeError for other than float32 on the compiled backends, ValueError for shapes that do not agree.
    """
    _check(means, wxyz, scales, opacities, colours, cameras, probe)
    given = (means, wxyz, scales, opacities, colours, cameras.world_to_camera, cameras.intrinsics)
    backend = backends.choose("surfels", *given, *([] if probe is None else [probe]))
    run = _IN_PYTHON.get(backend) or partial(_surfels_kernels.surfels, backend)
    return SurfelImages(*run(means, wxyz, scales, opacities, colours, cameras, probe))


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
    expected = {"means": (count, 3), "wxyz": (count, 4), "scales": (count, 2), "opacities": (count,)}
    given = {"means": means, "wxyz": wxyz, "scales": scales, "opacities": opacities}
    if probe is not None:
        expected["probe"], given["probe"] = (*cameras.shape, count, 2), probe
    for name, tensor in given.items():
        if tuple(tensor.shape) != expected[name]:
            raise ValueError(
                f"given {name} {tuple(tensor.shape)}, expected {expected[name]} beside {count} means; "
                "give every surfel one row"
            )
    if colours.ndim < 2 or colours.shape[:-1] not in ((count,), (*cameras.shape, count)):
        raise ValueError(
            f"given colours {tuple(colours.shape)}, expected {(count,)} or {(*cameras.shape, count)} "
            "and then any number of channels"
        )
    if cameras.shape.numel() == 0:
        raise ValueError("given no camera; give cameras whose batch shape has at least one element")
