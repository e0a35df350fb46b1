"""Surfaces cut into charts and laid out flat, side by side on one picture, by xatlas."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import trimesh
import xatlas
from jaxtyping import Float, Int
from torch import Tensor

GAP_TEXELS = 4
"""Between charts, so that neither linear filtering nor the first mip levels mix their colours."""
SMALLEST_PX = 32
FEWEST = 8
"""Triangles, of which the simplest solid that still has all sides is made: an octahedron."""


def check(triangles: int, texture_px: int) -> None:
    """Raise ValueError for a mesh that nothing could be seen on."""
    if triangles < FEWEST or texture_px < SMALLEST_PX:
        raise ValueError(
            f"given {triangles} triangles and a texture of {texture_px} pixels a side; expected {FEWEST} or "
            f"more, and {SMALLEST_PX} or more"
        )


def unwrapped(mesh: trimesh.Trimesh, texture_px: int) -> tuple[Float[Tensor, "T 2"], Int[Tensor, "F 3"]]:
    """Texture coordinates in 0 to 1 of a picture `texture_px` wide and high, and their rows at each face."""
    atlas = xatlas.Atlas()
    atlas.add_mesh(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.uint32))
    packing: Any = xatlas.PackOptions()
    packing.resolution, packing.padding = texture_px, GAP_TEXELS
    atlas.generate(pack_options=packing)
    _, corners, uv = atlas[0]
    shape = np.array([atlas.width, atlas.height]) / max(atlas.width, atlas.height)
    return torch.tensor(uv * shape, dtype=torch.float32), torch.tensor(corners.astype(np.int64))
