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

VIEWS = 64


def fit(scene: Scene, truth: Renderer, *, steps: int, size_px: int = 128, views: int = 2) -> None:
    """Improve `scene` by pictures of `truth` from all around but below, `views` of them in a step."""
    cameras = stations(VIEWS, width=size_px, height=size_px)
    shots = truth(cameras)
    rgba = to_bytes(torch.cat([shots.rgb, shots.alpha], -1))
    teacher = Images(Photographs(cameras, rgba, torch.full_like(rgba[..., :1], 255)))
    for _ in distill(scene, teacher, steps=steps, rig=teacher, views=views, size=size_px):
        pass
