"""Writes pictures and their cameras as a dataset of Blender's layout."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.data.transforms import BLENDER_REACH


def write_views(folder: Path, pictures: Tensor, cameras: Cameras) -> Path:
    """`pictures` [N, H, W, 3 or 4] in [0, 1] by `cameras`, of which the dataset's world is the same again."""
    frames = []
    opengl = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
    for i, (picture, pose) in enumerate(zip(pictures, cameras.world_to_camera, strict=True)):
        Image.fromarray((picture * 255).round().byte().numpy()).save(folder / f"{i}.png")
        matrix = torch.linalg.inv(pose) @ opengl
        matrix[:3, 3] *= BLENDER_REACH
        frames.append({"file_path": f"{i}.png", "transform_matrix": matrix.tolist()})
    angle = 2 * math.atan(0.5 * cameras.width / cameras.intrinsics[0, 0].item())
    content = {"camera_angle_x": angle, "frames": frames}
    (folder / "transforms_train.json").write_text(json.dumps(content))
    return folder
