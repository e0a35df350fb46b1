"""Posed pictures: a toy locomotive of the closed world, as a folder in Blender's layout."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import torch
from PIL import Image

from distill3d import atomic
from distill3d.camera import ORBIT_FOV_Y_RAD, Cameras
from distill3d.data.transforms import BLENDER_REACH
from distill3d.pictures import to_bytes
from distill3d.rendering import Rendering
from distill3d.world.bank import stations
from distill3d.world.grammar import describe
from distill3d.world.metrics import held_out
from distill3d.world.model import instance

FILE = "locomotive"
PROMPT = "a train"
TRAIN, TEST, SIZE_PX = 40, 8, 128
OPENGL = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))


def make(folder: Path) -> None:
    """Square pictures to learn from, evenly around, and others to be judged by; straight alpha."""
    shutil.rmtree(folder / FILE, ignore_errors=True)
    _write(folder / FILE, "train", stations(TRAIN, width=SIZE_PX, height=SIZE_PX))
    test = held_out(SIZE_PX)
    _write(folder / FILE, "test", test[torch.arange(0, len(test), len(test) // TEST)])


def truth(cameras: Cameras) -> Rendering:
    """Exact pictures of the object; the dataset's world is `BLENDER_REACH` times as large."""
    return instance(describe(PROMPT), 0).render(cameras, supersample=4)


def _write(folder: Path, split: str, cameras: Cameras) -> None:
    (folder / split).mkdir(parents=True)
    poses = torch.linalg.inv(cameras.world_to_camera.double()) @ OPENGL
    poses[:, :3, 3] *= BLENDER_REACH
    shots = truth(cameras)
    straight = torch.cat([shots.rgb / shots.alpha.clamp_min(1e-6), shots.alpha], -1)
    frames = []
    for i, (pose, rgba) in enumerate(zip(poses.tolist(), to_bytes(straight), strict=True)):
        frames.append({"file_path": f"./{split}/r_{i}", "transform_matrix": pose})
        buffer = io.BytesIO()
        Image.fromarray(rgba.numpy()).save(buffer, "PNG", optimize=True)
        atomic.write(folder / split / f"r_{i}.png", buffer.getvalue())
    content = {"camera_angle_x": ORBIT_FOV_Y_RAD, "frames": frames}
    atomic.write(folder / f"transforms_{split}.json", json.dumps(content, indent=1).encode())
