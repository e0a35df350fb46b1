"""Attributes of a mesh's corners, such as colours or texture coordinates, at the pixels that see it.

Source: Laine et al. 2020 (arXiv 2011.03277), section 3.3.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.ops import _interpolate_kernels, backends, interpolate_reference
from distill3d.ops.mesh import Fragments, check_corners


def interpolate(
    attributes: Float[Tensor, "N C"], indices: Int[Tensor, "F 3"], fragments: Fragments
) -> Float[Tensor, "*B H W C"]:
    """Σ b_i a_i over the corners of the triangle seen; 0 where nothing is.

    `indices` are the rows of `attributes` at each face's corners: the faces themselves for attributes of
    vertices. Differentiable in `attributes` and, through `fragments.barycentric`, in the vertices.

    Raises IndexError for indices without their row, ValueError for fragments of more faces than `indices`
    has, TypeError for other than float32 on the compiled backend.
    """
    return _weigh(attributes, indices, fragments, fragments.barycentric)


def interpolate_corners(
    attributes: Float[Tensor, "F 3 C"], fragments: Fragments
) -> Float[Tensor, "*B H W C"]:
    """As `interpolate`, of attributes that every face has for itself."""
    return interpolate(attributes.flatten(0, 1), _own_corners(attributes), fragments)


def interpolate_derivatives(
    attributes: Float[Tensor, "N C"], indices: Int[Tensor, "F 3"], fragments: Fragments
) -> Float[Tensor, "*B H W C 2"]:
    """How the interpolated attributes change by pixel in x and in y; differentiable in `attributes`.

    Raises ValueError for fragments that were rasterized without derivatives.
    """
    if fragments.derivatives is None:
        raise ValueError(
            "given fragments without derivatives; get them from rasterize(..., derivatives=True)"
        )
    by_x, by_y = (slopes.contiguous() for slopes in fragments.derivatives.unbind(-1))
    return torch.stack([_weigh(attributes, indices, fragments, slopes) for slopes in (by_x, by_y)], -1)


def _own_corners(attributes: Float[Tensor, "F 3 C"]) -> Int[Tensor, "F 3"]:
    count = 3 * len(attributes)
    return torch.arange(count, dtype=torch.int32, device=attributes.device).reshape(-1, 3)


def _weigh(attributes: Tensor, indices: Tensor, fragments: Fragments, weights: Tensor) -> Tensor:
    check_corners("indices", indices, "attributes", len(attributes))
    backend = backends.choose("mesh", attributes, weights)
    if fragments.triangle.numel() and fragments.triangle.device.type == "cpu":
        most = int(fragments.triangle.max())
        if most >= len(indices):
            raise ValueError(
                f"given indices of {len(indices)} faces, expected more than {most}, which the fragments "
                "show; give those of the mesh that was rasterized"
            )
    arguments = (attributes, indices, fragments.triangle, weights)
    if backend == "reference":
        return interpolate_reference.interpolate(*arguments)
    return _interpolate_kernels.interpolate(backend, *arguments)
