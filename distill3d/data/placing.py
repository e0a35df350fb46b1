"""Where the subject of photographs is, and how large: from the cameras alone, or from points that they see.

People walk around a thing, and their optical axes meet in it; or they stand side by side before it, the axes
are parallel, and how deep it lies says only something else: points, or bounds. Where nothing does, it lies
where pictures taken from one end of the row to the other still show half of the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from distill3d.data.dataset import Frame, check_camera
from distill3d.errors import UserError

LEVEL = 0.5
"""How much of their back the mean up of cameras is at least, as long as it is one."""
DEPTH_WEIGHT = 0.01
"""w: how much a depth counts, beside where optical axes meet."""
PARALLEL = 0.01
"""Mean square of the sines between optical axes and their common direction up to which they meet nowhere: an
angle of 6°."""
SHARED = 0.5
"""Of what two cameras show, where they stand as far apart as any."""
ENOUGH_POINTS = 1000
"""To know how deep a camera sees."""


def upright_and_centred(
    frames: Sequence[Frame], depths: Float64[Tensor, " N"] | None = None, *, reach: float = 3.0
) -> Float64[Tensor, "4 4"]:
    """A similarity to our world from the cameras: their mean up is +z, the point that they look at is the
    origin, and the farthest of them is `reach` away from it.

    depths: how far away what each camera sees is, where that is known. It settles where cameras look that
    stand side by side, and hardly moves the point that others agree on; without, see `_in_view`. Raises
    UserError where all cameras are at one place.
    """
    for frame in frames:
        check_camera(frame)
    poses = torch.stack([frame.camera_to_world for frame in frames])
    up = _up(poses)
    eyes = poses[:, :3, 3]
    focus = _in_view(frames, poses) if depths is None and _parallel(poses) else _focus(poses, depths)
    farthest = (eyes - focus).norm(dim=-1).max()
    if not farthest > 1e-9 * eyes.norm(dim=-1).max():
        raise UserError(
            f"all cameras stand where that of {frames[0].name} does; expected pictures from several places"
        )
    helper = (
        torch.tensor([1.0, 0, 0]).double() if abs(float(up[0])) < 0.9 else torch.tensor([0, 1.0, 0]).double()
    )
    x = torch.nn.functional.normalize(helper - (helper @ up) * up, dim=0)
    rotation = torch.stack([x, torch.linalg.cross(up, x), up])
    scale = reach / farthest
    transform = torch.eye(4).double()
    transform[:3, :3] = scale * rotation
    transform[:3, 3] = -scale * rotation @ focus
    return transform


def _up(poses: Float64[Tensor, "N 4 4"]) -> Float64[Tensor, "3"]:
    """The mean up of cameras; where they look down from all headings, so that it is none, their mean back."""
    up, back = -poses[:, :3, 1].mean(0), -poses[:, :3, 2].mean(0)
    return torch.nn.functional.normalize(up if up.norm() >= LEVEL * back.norm() else back, dim=0)


def _focus(poses: Float64[Tensor, "N 4 4"], depths: Float64[Tensor, " N"] | None) -> Float64[Tensor, "3"]:
    """The point p nearest to all optical axes, and at its depth: the least

    Σ |(I − f fᵀ) (p − eye)|² + w |fᵀ (p − eye) − d|².
    """
    middle, forward = poses[:, :3, 3].mean(0), poses[:, :3, 2]
    eyes = poses[:, :3, 3] - middle
    along = forward[:, :, None] * forward[:, None, :]
    weights = torch.eye(3).double() - along
    known = weights @ eyes[..., None]
    if depths is not None:
        weights = weights + DEPTH_WEIGHT * along
        known = known + DEPTH_WEIGHT * (along @ eyes[..., None] + (depths[:, None] * forward)[..., None])
    return middle + torch.linalg.lstsq(weights.sum(0), known.sum(0)).solution[:, 0]


def _parallel(poses: Float64[Tensor, "N 4 4"]) -> bool:
    """Whether all cameras look into one direction, so that their axes do not say how far."""
    forward = poses[:, :3, 2]
    common = torch.nn.functional.normalize(forward.mean(0), dim=0)
    return bool((1 - (forward @ common).square()).mean() <= PARALLEL)


def _in_view(frames: Sequence[Frame], poses: Float64[Tensor, "N 4 4"]) -> Float64[Tensor, "3"]:
    """The mean of what is in the middle of parallel cameras' pictures, as deep as `SHARED` says.

    At a depth d pictures are d w / f wide, and those of cameras that stand b apart share 1 − b f / (d w).
    """
    eyes, forward = poses[:, :3, 3], poses[:, :3, 2]
    apart = 2 * (eyes - eyes.mean(0)).norm(dim=-1).max()
    narrowest = max(max(f.intrinsics[0] / f.width, f.intrinsics[1] / f.height) for f in frames)
    return (eyes + apart * narrowest / (1 - SHARED) * forward).mean(0)


def depths_of(frames: Sequence[Frame], points: Float[Tensor, "P 3"]) -> Float64[Tensor, " N"] | None:
    """The median depth of the points before each camera, or of all where there is none; None without any."""
    some = points[:: 1 + len(points) // ENOUGH_POINTS].double()
    poses = torch.stack([frame.camera_to_world for frame in frames])
    depth = torch.einsum("npc,nc->np", some[None] - poses[:, None, :3, 3], poses[:, :3, 2])
    depth = torch.where(depth > 0, depth, torch.nan)
    if not depth.isfinite().any():
        return None
    depths = depth.nanmedian(1).values
    return torch.where(depths.isfinite(), depths, depth.nanmedian())
