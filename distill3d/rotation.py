"""Rotations as unit quaternions wxyz and as matrices. Both turn column vectors: v' = R v = q v q*."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor


def matrix_from_wxyz(wxyz: Float[Tensor, "*S 4"]) -> Float[Tensor, "*S 3 3"]:
    """Rotation matrices of quaternions of any length but zero; the length does not matter."""
    w, x, y, z = torch.nn.functional.normalize(wxyz, dim=-1, eps=0).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def wxyz_from_matrix(rotation: Float[Tensor, "*S 3 3"]) -> Float[Tensor, "*S 4"]:
    """Unit quaternions with w >= 0 of rotation matrices.

    Each row of 4 q qᵀ is a multiple of q and linear in the matrix; the row with the largest diagonal is the
    one far from zero, so every rotation is well conditioned, half turns included.
    """
    r = rotation
    xx, yy, zz = r[..., 0, 0], r[..., 1, 1], r[..., 2, 2]
    wx, wy, wz = r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]
    xy, xz, yz = r[..., 1, 0] + r[..., 0, 1], r[..., 0, 2] + r[..., 2, 0], r[..., 2, 1] + r[..., 1, 2]
    rows = [
        [1 + xx + yy + zz, wx, wy, wz],
        [wx, 1 + xx - yy - zz, xy, xz],
        [wy, xy, 1 - xx + yy - zz, yz],
        [wz, xz, yz, 1 - xx - yy + zz],
    ]
    outer = torch.stack([torch.stack(row, -1) for row in rows], -2)
    best = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
    wxyz = torch.gather(outer, -2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :]
    wxyz = torch.nn.functional.normalize(wxyz, dim=-1)
    return torch.where(wxyz[..., :1] < 0, -wxyz, wxyz)


def multiply(first: Float[Tensor, "*#S 4"], second: Float[Tensor, "*#S 4"]) -> Float[Tensor, "*#S 4"]:
    """The Hamilton product: the rotation `second` followed by `first`, as with matrices."""
    w, v = first[..., :1], first[..., 1:]
    other_w, other_v = second[..., :1], second[..., 1:]
    scalar = w * other_w - (v * other_v).sum(-1, keepdim=True)
    vector = w * other_v + other_w * v + torch.linalg.cross(*torch.broadcast_tensors(v, other_v))
    return torch.cat([scalar, vector], -1)


def conjugate(wxyz: Float[Tensor, "*S 4"]) -> Float[Tensor, "*S 4"]:
    """The inverse of a unit quaternion."""
    return wxyz * wxyz.new_tensor([1.0, -1.0, -1.0, -1.0])


def rotate(wxyz: Float[Tensor, "*#S 4"], vectors: Float[Tensor, "*#S 3"]) -> Float[Tensor, "*#S 3"]:
    """Vectors turned by quaternions."""
    return (matrix_from_wxyz(wxyz) @ vectors[..., None])[..., 0]


def wxyz_between(start: Float[Tensor, "*#S 3"], end: Float[Tensor, "*#S 3"]) -> Float[Tensor, "*#S 4"]:
    """The shortest rotation that turns the direction `start` into the direction `end`; lengths do not matter.

    For opposite directions, where every axis across them is as short, one such axis is taken.
    """
    start = torch.nn.functional.normalize(start, dim=-1)
    end = torch.nn.functional.normalize(end, dim=-1)
    start, end = torch.broadcast_tensors(start, end)
    cosine = (start * end).sum(-1, keepdim=True)
    turn = torch.cat([1 + cosine, torch.linalg.cross(start, end)], -1)
    smallest = torch.nn.functional.one_hot(start.abs().argmin(-1), 3).to(start)
    half_turn = torch.cat([torch.zeros_like(cosine), torch.linalg.cross(start, smallest)], -1)
    opposite = cosine < -1 + 8 * torch.finfo(start.dtype).eps
    return torch.nn.functional.normalize(torch.where(opposite, half_turn, turn), dim=-1)


def wxyz_from_axis_angle(
    axes: Float[Tensor, "*#S 3"], angles_rad: Float[Tensor, "*#S"] | float
) -> Float[Tensor, "*#S 4"]:
    """Right-handed turns by `angles_rad` about `axes` of any length but zero."""
    half = torch.as_tensor(angles_rad, dtype=axes.dtype, device=axes.device)[..., None] / 2
    vector = half.sin() * torch.nn.functional.normalize(axes, dim=-1)
    return torch.cat([half.cos().expand(*vector.shape[:-1], 1), vector], -1)


def change_of_frame(
    start: Float[Tensor, "*#S 3 3"], end: Float[Tensor, "*#S 3 3"]
) -> Float[Tensor, "*#S 3 3"]:
    """The rotation that turns frame `start` into frame `end`; a frame's axes are its matrix's columns."""
    return end @ start.mT


def scale_and_rotation(
    similarity: Float64[Tensor, "4 4"],
) -> tuple[Float64[Tensor, ""], Float64[Tensor, "3 3"]]:
    """The scale s > 0 and the rotation R of a similarity x ↦ s R x + t.

    Raises ValueError if the matrix is none.
    """
    scale = torch.linalg.det(similarity[:3, :3]).clamp_min(0) ** (1 / 3)
    rotation = similarity[:3, :3] / scale
    if not (scale > 0 and torch.allclose(rotation @ rotation.mT, torch.eye(3).to(rotation), atol=1e-6)):
        raise ValueError(f"given {similarity[:3, :3].tolist()}, expected a rotation times a positive scale")
    if not similarity.isfinite().all():
        raise ValueError(f"given the shift {similarity[:3, 3].tolist()}, expected finite numbers")
    if not torch.equal(similarity[3], similarity.new_tensor([0, 0, 0, 1])):
        raise ValueError(f"given the last row {similarity[3].tolist()}, expected 0 0 0 1")
    return scale, rotation
