"""transforms.json: cameras as the Blender scenes of NeRF and nerfstudio write them (Mildenhall et al. 2020).

`transform_matrix` takes camera to world in OpenGL's camera (y up, z backward); the intrinsics are in pixels,
or one horizontal `camera_angle_x` in radians; each may stand at the top or in a frame.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.data.dataset import rigid
from distill3d.data.found import Pictures
from distill3d.data.photographs import size_of
from distill3d.data.transforms import unapplied
from distill3d.errors import UserError

MAX_FRAMES = 100_000
MAX_SIDE_PX = 16384


def read(data: bytes, to_ours: Float64[Tensor, "4 4"] | None = None, folder: Path | None = None) -> Cameras:
    """The cameras in the file's order. All frames must have one size; lens distortion is refused.

    `to_ours` leads from the file's world to ours: a similarity. Where the file does not say the pictures'
    size, as Blender's do not, it is that of the first picture, in `folder`.
    """
    try:
        content = json.loads(data)
        frames = content["frames"]
        poses = torch.tensor([f["transform_matrix"] for f in frames], dtype=torch.float64)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"no cameras in it ({error!r}); expected JSON with frames of a transform_matrix"
        ) from error
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not 0 < len(poses) <= MAX_FRAMES:
        raise UserError(f"camera matrices of shape {tuple(poses.shape)}; expected 1 to {MAX_FRAMES} of 4 x 4")
    if not torch.isfinite(poses).all() or (torch.linalg.det(poses[:, :3, :3]) - 1).abs().max() > 1e-2:
        raise UserError("a transform_matrix is not a rigid motion; expected a rotation and a translation")
    views = [{**content, **frame} for frame in frames]
    if folder is not None and not {"w", "h"} & views[0].keys():
        views = [view | _size_of_picture(folder, views[0]) for view in views]
    sizes = {(_size(v, "w"), _size(v, "h")) for v in views}
    if len(sizes) > 1:
        raise UserError(f"frames of {len(sizes)} sizes; expected one w and h for all, so split the file")
    (width, height) = sizes.pop()
    if any(v.get(k, 0) for v in views for k in ("k1", "k2", "k3", "k4", "p1", "p2")):
        raise UserError(
            "the cameras have lens distortion (k1 …); expected pinhole cameras, so undistort first"
        )
    intrinsics = torch.tensor([_intrinsics(v, width, height) for v in views], dtype=torch.float32)
    opencv = poses @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
    way = unapplied("the file", content)
    placed = rigid(way if to_ours is None else to_ours @ way, opencv)
    return Cameras(torch.linalg.inv(placed).float(), intrinsics, width, height)


def write(cameras: Cameras, to_ours: Float64[Tensor, "4 4"] | None = None) -> bytes:
    """The file for cameras [N] of ours, in the world from which `to_ours` leads: what `read` gives back.

    Each frame names the picture that the render command writes for it.
    """
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
    poses = torch.linalg.inv(cameras.world_to_camera.double()) @ flip
    if to_ours is not None:
        poses = rigid(torch.linalg.inv(to_ours), poses)
    frames = []
    for i, (pose, (fx, fy, cx, cy)) in enumerate(
        zip(poses.tolist(), cameras.intrinsics.tolist(), strict=True)
    ):
        lens = {"fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy}
        frames.append({"file_path": f"{i:04d}.png", **lens, "transform_matrix": pose})
    return json.dumps({"w": cameras.width, "h": cameras.height, "frames": frames}, indent=1).encode()


def _size_of_picture(folder: Path, view: dict[str, Any]) -> dict[str, int]:
    picture = Pictures(folder).find(str(view.get("file_path")))
    if picture is None:
        raise UserError(
            "neither w and h nor the first frame's picture is there; expected one, to know the pictures' size"
        )
    width, height = size_of(picture)
    return {"w": width, "h": height}


def _size(view: dict[str, Any], key: str) -> int:
    value = view.get(key)
    if not isinstance(value, int | float) or value != int(value) or not 0 < value <= MAX_SIDE_PX:
        raise UserError(f"{key} is {value!r}; expected the pictures' size, 1 to {MAX_SIDE_PX} pixels")
    return int(value)


def _intrinsics(view: dict[str, Any], width: int, height: int) -> list[float]:
    """fx, fy, cx, cy in pixels; the centre is the picture's where the file names none."""
    if "fl_x" in view:
        fx = _number(view, "fl_x", 0.0, least=1e-6)
    elif "camera_angle_x" in view:
        fx = 0.5 * width / math.tan(0.5 * _number(view, "camera_angle_x", 0.0, least=1e-6, most=3.14))
    else:
        raise UserError("neither fl_x nor camera_angle_x; expected one of them, to know the focal length")
    fy = _number(view, "fl_y", fx, least=1e-6)
    return [fx, fy, _number(view, "cx", width / 2), _number(view, "cy", height / 2)]


def _number(
    view: dict[str, Any], key: str, default: float, *, least: float = -math.inf, most: float = math.inf
) -> float:
    value = view.get(key, default)
    if not isinstance(value, int | float) or not math.isfinite(value) or not least <= value <= most:
        raise UserError(f"{key} is {value!r}; expected a finite number that makes a camera")
    return float(value)
