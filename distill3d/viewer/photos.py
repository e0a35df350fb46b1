"""The cameras of a dataset as frusta, and its photographs made small enough to hang in them."""

from __future__ import annotations

import io
import secrets
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError

from distill3d.camera import Cameras
from distill3d.data.dataset import Dataset
from distill3d.viewer.protocol import Camera, Frustum

MOST_FRUSTA = 200
"""Of a dataset with more, evenly chosen ones are shown."""
SIDE_PX = 320


class Photos:
    """Photographs by the ids under which pages fetch them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.names = [secrets.token_urlsafe(16) for _ in paths]
        self._paths = dict(zip(self.names, paths, strict=True))

    def jpeg(self, name: str) -> bytes | None:
        """A photograph, made small; None if there is none of that name, or it cannot be read."""
        path = self._paths.get(name)
        if path is None:
            return None
        try:
            with Image.open(path) as image:
                image.draft("RGB", (SIDE_PX, SIDE_PX))
                image.thumbnail((SIDE_PX, SIDE_PX))
                small = image.convert("RGBA")
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
            return None
        on_white = Image.new("RGBA", small.size, "white")
        on_white.alpha_composite(small)
        buffer = io.BytesIO()
        on_white.convert("RGB").save(buffer, "JPEG", quality=85)
        return buffer.getvalue()


def frusta_of(dataset: Dataset) -> tuple[tuple[Frustum, ...], Photos]:
    """The cameras of a dataset in our world; each size of photographs by itself."""
    frames = [(f, False) for f in dataset.train] + [(f, True) for f in dataset.test]
    if len(frames) > MOST_FRUSTA:
        frames = [frames[i] for i in torch.linspace(0, len(frames) - 1, MOST_FRUSTA).round().long().tolist()]
    photos = Photos([frame.picture for frame, _ in frames])
    frusta = [
        Frustum(frame.name, camera_message(dataset.cameras([frame])[0]), name, held_out)
        for (frame, held_out), name in zip(frames, photos.names, strict=True)
    ]
    return tuple(frusta), photos


def camera_message(camera: Cameras) -> Camera:
    """One camera, of batch shape (), as the protocol has it."""
    numbers = camera.world_to_camera.double().flatten().tolist()
    fx, fy, cx, cy = camera.intrinsics.tolist()
    return Camera(tuple(numbers), fx, fy, cx, cy, camera.width, camera.height)
