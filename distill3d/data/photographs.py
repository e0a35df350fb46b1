"""Photographs of a dataset as tensors: read once, undistorted, made smaller, and kept on disk as bytes."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from distill3d import atomic
from distill3d.camera import Cameras
from distill3d.data.dataset import same_shape
from distill3d.data.lens import undistorted
from distill3d.data.picture import in_mode, lies_on_its_side, upright
from distill3d.errors import UserError

if TYPE_CHECKING:
    from distill3d.data.dataset import Dataset, Frame

VERSION = 1  # of what is kept on disk


@dataclass(frozen=True)
class Photographs:
    """N photographs of one size and their cameras, in our world."""

    cameras: Cameras
    rgba: UInt8[Tensor, "N H W 4"]
    """Premultiplied by alpha; alpha is 255 where a file has none."""
    believed: UInt8[Tensor, "N H W 1"]
    """255 where a picture counts, 0 where its mask, or the lens, leaves it out."""

    def to(self, device: torch.device) -> Photographs:
        return Photographs(self.cameras.to(device), self.rgba.to(device), self.believed.to(device))

    def __len__(self) -> int:
        return len(self.rgba)

    @property
    def opaque(self) -> bool:
        """Whether nothing can be seen through them, wherever they are believed."""
        return not bool(((self.rgba[..., 3:] < 255) & (self.believed > 0)).any())


def size_of(path: Path, like: tuple[float, float] | None = None) -> tuple[int, int]:
    """Width and height of a picture file, from its header.

    A camera has its pixels as they lie in the file, or as the file says that it is to be turned to stand
    upright; those of a size `like` this are meant, where one of the two has its shape.
    """
    try:
        with Image.open(path) as image:
            if like is None or same_shape(image.size, like) or not lies_on_its_side(image):
                return image.size
            turned = image.height, image.width
            return turned if same_shape(turned, like) else image.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path} is not a picture that can be read ({error}); expected PNG or JPEG"
        ) from error


def load(
    dataset: Dataset,
    frames: Sequence[Frame],
    *,
    downscale: int = 1,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> Photographs:
    """The photographs of `frames`, each side divided by `downscale`; `progress` is told how many are read."""
    full = dataset.cameras(frames)
    width, height = full.width // downscale, full.height // downscale
    if downscale < 1 or width < 1 or height < 1:
        raise UserError(
            f"downscale {downscale} of pictures of {full.width} x {full.height}; "
            f"expected 1 to {min(full.width, full.height)}"
        )
    pictures = []
    for number, frame in enumerate(frames):
        pictures.append(_kept(frame, width, height))
        progress(number + 1, len(frames))
    table = torch.stack(pictures)
    return Photographs(full.resized(width, height), table[..., :4], table[..., 4:])


def _kept(frame: Frame, width: int, height: int) -> UInt8[Tensor, "H W 5"]:
    """One photograph from the cache, or read and put there."""
    path = cache_folder() / f"{_fingerprint(frame, width, height)}.npy"
    with suppress(OSError, ValueError, EOFError):
        table = np.load(path, allow_pickle=False)
        if table.shape == (height, width, 5) and table.dtype == np.uint8:
            return torch.from_numpy(table)
    table = _read(frame, width, height)
    buffer = io.BytesIO()
    np.save(buffer, table.numpy())
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, buffer.getvalue())
    return table


def _read(frame: Frame, width: int, height: int) -> UInt8[Tensor, "H W 5"]:
    rgba = _pixels(frame, frame.picture, "RGBA")
    believed = torch.ones_like(rgba[..., :1]) if frame.mask is None else _believed(frame, frame.mask)
    colour = rgba[..., :3] * rgba[..., 3:]
    table = torch.cat([colour, rgba[..., 3:], believed], -1)
    if not frame.lens.ideal:
        table = undistorted(table, frame.lens, torch.tensor(frame.intrinsics))
    if (height, width) != tuple(table.shape[:2]):
        table = torch.nn.functional.interpolate(table.permute(2, 0, 1)[None], (height, width), mode="area")
        table = table[0].permute(1, 2, 0)
    table[..., 4] = torch.where(table[..., 4] > 0.999, 1.0, 0.0)
    return (table * 255).round().clamp(0, 255).to(torch.uint8)


def _pixels(frame: Frame, path: Path, mode: str) -> Float[Tensor, "H W C"]:
    """The pixels of a picture of the frame's shape, turned as its camera has them."""
    size = float(frame.width), float(frame.height)
    try:
        with Image.open(path) as image:
            values = in_mode(image if same_shape(image.size, size) else upright(image), mode)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{frame.name}: {path} cannot be read ({error}); expected a PNG or JPEG") from error
    height, width = values.shape[:2]
    if not same_shape((width, height), size):
        raise UserError(
            f"{frame.name}: {path} is {width} x {height}; expected {frame.width} x {frame.height}"
        )
    return torch.from_numpy(values).reshape(height, width, -1)


def _believed(frame: Frame, mask: Path) -> Float[Tensor, "H W 1"]:
    """A mask, which may have been kept as large as the photographs once were."""
    values = _pixels(frame, mask, "L")
    sized = torch.nn.functional.interpolate(
        values.permute(2, 0, 1)[None], (frame.height, frame.width), mode="area"
    )
    return sized[0].permute(1, 2, 0)


def _fingerprint(frame: Frame, width: int, height: int) -> str:
    """A hash of what the result depends on; files by name, size and time of change."""
    files = [
        (str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in (frame.picture, frame.mask) if p
    ]
    parts = (VERSION, files, width, height, frame.lens, frame.intrinsics if not frame.lens.ideal else None)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def cache_folder() -> Path:
    """Where photographs are kept: XDG_CACHE_HOME/distill3d/photographs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "distill3d" / "photographs"
