"""Banks of renders: instances of a prompt from many cameras, made once and kept on disk by content hash."""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from trimesh.visual import ColorVisuals

from distill3d import atomic
from distill3d.camera import Cameras, orbit
from distill3d.rendering import Rendering
from distill3d.unpainted import as_normals
from distill3d.world.grammar import Description, describe, vocabulary
from distill3d.world.model import Model, instances

LOWEST_DEG, HIGHEST_DEG = -15.0, 75.0
VIEWS_OF_EVERYTHING = 32


@dataclass(frozen=True)
class Bank:
    """K renders, premultiplied RGBA in 8 bits, and the cameras that took them."""

    rgba: UInt8[Tensor, "K H W 4"]
    cameras: Cameras

    def to(self, device: torch.device) -> Bank:
        return Bank(self.rgba.to(device), self.cameras.to(device))


@cache
def stations(count: int, *, width: int, height: int) -> Cameras:
    """`count` cameras spread evenly (Fibonacci) over the band of the sphere that a viewer would walk."""
    low, high = math.sin(math.radians(LOWEST_DEG)), math.sin(math.radians(HIGHEST_DEG))
    i = torch.arange(count)
    elevations_rad = (low + (high - low) * (i + 0.5) / count).asin()
    golden_angle_rad = math.pi * (3 - math.sqrt(5))
    azimuths_rad = torch.remainder(i * golden_angle_rad, 2 * math.pi)
    return orbit(azimuths_rad, elevations_rad, width=width, height=height)


def painted(model: Model, cameras: Cameras) -> Rendering:
    """A model's pictures in its colours."""
    return model.render(cameras, want=("rgb", "alpha"))


def unpainted(model: Model, cameras: Cameras) -> Rendering:
    """A model's pictures as `distill3d.unpainted` has them."""
    return as_normals(model.render(cameras, want=("rgb", "alpha", "normal")))


Shown = Callable[[Model, Cameras], Rendering]


def bank_of(
    description: Description, count: int, views: int, *, width: int, height: int, shown: Shown = painted
) -> Bank:
    """`count` instances of one prompt from `views` stations each, instance by instance."""
    return _render(instances(description, count), stations(views, width=width, height=height), shown)


@cache
def everything(*, width: int, height: int, shown: Shown = painted) -> Bank:
    """One instance of every kind: what the world looks like when nothing is asked for (the null prompt)."""
    kinds = [instances(describe(f"a {kind}"), 1)[0] for kind in vocabulary()["kind"]]
    return _render(kinds, stations(VIEWS_OF_EVERYTHING, width=width, height=height), shown)


def _render(models: Sequence[Model], cameras: Cameras, shown: Shown) -> Bank:
    path = _cache_folder() / f"{_fingerprint(models, cameras, shown)}.npy"
    shape = (len(models) * len(cameras), cameras.height, cameras.width, 4)
    rgba = _load(path, shape)
    if rgba is None:
        rgba = np.concatenate([_quantised(shown(model, cameras)) for model in models])
        _store(path, rgba)
    repeated = torch.arange(len(cameras)).repeat(len(models))
    return Bank(torch.from_numpy(rgba), cameras[repeated])


def _quantised(picture: Rendering) -> np.ndarray:
    rgba: Float[Tensor, "V H W 4"] = torch.cat([picture.rgb, picture.alpha], -1)
    return (rgba.clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def _fingerprint(models: Sequence[Model], cameras: Cameras, shown: Shown) -> str:
    """A hash of all that the renders depend on: geometry, colours, cameras, size and the shading's source."""
    digest = hashlib.sha256(shown.__name__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for model in models:
        mesh = model.mesh()
        digest.update(np.ascontiguousarray(mesh.vertices, np.float32).tobytes())
        digest.update(np.ascontiguousarray(mesh.faces, np.int32).tobytes())
        digest.update(np.ascontiguousarray(cast(ColorVisuals, mesh.visual).face_colors, np.uint8).tobytes())
    digest.update(cameras.world_to_camera.numpy().tobytes() + cameras.intrinsics.numpy().tobytes())
    digest.update(f"{cameras.width}x{cameras.height}".encode())
    return digest.hexdigest()[:32]


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "distill3d" / "renders"


def _load(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The renders kept at `path`; None if there are none or they are not whole: they are made again."""
    try:
        rgba = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return rgba if rgba.shape == shape and rgba.dtype == np.uint8 else None


def _store(path: Path, rgba: np.ndarray) -> None:
    """Keep the renders; a cache that cannot be written (read-only home) only costs time at the next start."""
    buffer = io.BytesIO()
    np.save(buffer, rgba)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, buffer.getvalue())
