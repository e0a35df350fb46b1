"""Visual prompt: pictures of the very object that is to be made, of which a prior is told beside words."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.data import picture
from distill3d.data.photographs import Photographs


@dataclass(frozen=True, eq=False)
class VisualPrompt:
    """N pictures of one object; what is clear in them stands in front of white."""

    rgb: Float[Tensor, "N H W 3"]
    """In [0, 1]."""
    cameras: Cameras | None = None
    """That took the pictures, in the scene's world; None where nobody knows."""


def from_file(path: str) -> VisualPrompt:
    """One picture by an unknown camera. Raises UserError."""
    rgba = picture.read(path)
    return VisualPrompt((rgba[..., :3] + 1 - rgba[..., 3:])[None])


def from_photographs(photographs: Photographs) -> VisualPrompt:
    """Pictures by known cameras; what is not to be believed in them is clear."""
    rgba = photographs.rgba.float() / 255 * (photographs.believed > 0)
    return VisualPrompt(rgba[..., :3] + 1 - rgba[..., 3:], photographs.cameras)
