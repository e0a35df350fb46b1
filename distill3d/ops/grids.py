"""Features at points of the cube [-1, 1]³ from grids, differentiably in the grids and in the points.

Grid points stand on the cube's border too, as with `align_corners=True` elsewhere; points outside the cube
are moved to its border, where the gradient by them is zero. Features are stored last, in any number of
channels.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from distill3d.ops import _grids_kernels, backends, grids_reference


def voxels(table: Float[Tensor, "Z Y X C"], points: Float[Tensor, "P 3"]) -> Float[Tensor, "P C"]:
    """Trilinear interpolation in a dense grid with axes z, y, x.

    Raises TypeError for other than float32 on the compiled backends, ValueError for shapes that do not fit.
    """
    if table.ndim != 4 or min(table.shape[:3]) < 2:
        raise ValueError(
            f"given a table {tuple(table.shape)}, expected (Z, Y, X, C), 2 or more along each axis"
        )
    _check_points(points)
    if backends.choose("grids", table, points) == "reference":
        return grids_reference.voxels(table, points)
    return _grids_kernels.sample(backends.choose("grids", table, points), "voxels", table, None, points)


def triplane(planes: Float[Tensor, "3 N N C"], points: Float[Tensor, "P 3"]) -> Float[Tensor, "P C"]:
    """The sum of three planes: xy, xz and yz, each with its second letter down the rows.

    Source: Chan et al. 2022, EG3D (arXiv 2112.07945), section 3. Errors as `voxels`.
    """
    _check_planes(planes)
    _check_points(points)
    if backends.choose("grids", planes, points) == "reference":
        return grids_reference.triplane(planes, points)
    return _grids_kernels.sample(backends.choose("grids", planes, points), "triplane", planes, None, points)


def vm(
    planes: Float[Tensor, "3 N N C"], lines: Float[Tensor, "3 N C"], points: Float[Tensor, "P 3"]
) -> Float[Tensor, "P 3*C"]:
    """Products of planes with the lines that stand on them: xy with z, xz with y, yz with x.

    Their sum is a tensor's vector-matrix decomposition. Source: Chen et al. 2022, TensoRF (arXiv 2203.09517),
    equations 4 and 10. Errors as `voxels`.
    """
    _check_planes(planes)
    _check_points(points)
    expected = (3, planes.shape[1], planes.shape[3])
    if tuple(lines.shape) != expected:
        raise ValueError(f"given lines {tuple(lines.shape)}, expected {expected} beside the planes")
    if backends.choose("grids", planes, lines, points) == "reference":
        return grids_reference.vm(planes, lines, points)
    return _grids_kernels.sample(backends.choose("grids", planes, lines, points), "vm", planes, lines, points)


def _check_points(points: Tensor) -> None:
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"given points {tuple(points.shape)}, expected (P, 3)")


def _check_planes(planes: Tensor) -> None:
    if planes.ndim != 4 or planes.shape[0] != 3 or planes.shape[1] != planes.shape[2] or planes.shape[1] < 2:
        raise ValueError(f"given planes {tuple(planes.shape)}, expected (3, N, N, C) with N of 2 or more")
