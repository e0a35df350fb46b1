"""A scene fitted to pictures of something that can be rendered exactly."""

from __future__ import annotations

import torch

from distill3d.comparison import Renderer
from distill3d.data.photographs import Photographs
from distill3d.distill import distill
from distill3d.pictures import to_bytes
from distill3d.scene import Scene
from distill3d.teachers.images import Images
from distill3d.world.bank import stations

SIZE_PX = 128
CAMERAS = stations(64, width=SIZE_PX, height=SIZE_PX)
"""All around but below."""


def fit(scene: Scene, truth: Renderer, *, steps: int, views: int = 2, stride: int = 1) -> None:
    """Improve `scene` by pictures of `truth`: in each step every `stride`-th pixel of `views` of them."""
    shots = truth(CAMERAS)
    rgba = to_bytes(torch.cat([shots.rgb, shots.alpha], -1))
    photographs = Photographs(CAMERAS, rgba, torch.full_like(rgba[..., :1], 255))
    teacher = Images(photographs, stride=stride)
    for _ in distill(scene, teacher, steps=steps, rig=teacher, views=views, size=SIZE_PX):
        pass
