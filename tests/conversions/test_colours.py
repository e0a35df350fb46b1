"""The colours of a mesh: as sharp as asked for, however large the texels of a triangle are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distill3d.conversions._closest import Places
from distill3d.conversions._colours import colours_at
from distill3d.representations.mesh import Mesh, Texture


def stripes() -> Mesh:
    """Two triangles with the same part of a texture of stripes, of which one is 64 times as large."""
    shape = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    vertices = torch.cat([shape, torch.tensor([0.0, 0, 1]) + shape / 64])
    uv = torch.tensor([[0.0, 0], [1, 0], [0, 1]])
    image = (torch.arange(64) // 4 % 2).float()[None, :, None].expand(64, 64, 3)
    faces = torch.arange(6).reshape(2, 3)
    return Mesh(vertices, faces, Texture(image, uv, torch.tensor([[0, 1, 2], [0, 1, 2]])))


@pytest.mark.parametrize("triangle", [0, 1])
def test_each_triangle_is_as_sharp_as_its_own_texels_allow(triangle: int) -> None:
    u = np.arange(0.1, 0.8, 0.01)
    corners = np.stack([0.9 - u, u, np.full_like(u, 0.1)], 1)
    places = Places(np.full(len(u), triangle), corners, np.zeros((len(u), 3)))
    contrast = float(colours_at(stripes(), places, spacing=1 / 64).std())
    assert contrast > 0.4 if triangle == 0 else contrast < 0.05
