"""Small meshes for the tests of mesh rendering, and the backends that they run on."""

from __future__ import annotations

import torch
import trimesh
from torch import Tensor

from distill3d.camera import Cameras, look_at
from distill3d.ops import backends

KERNELS = [name for name in ("cpu", "cuda", "emulated") if backends.why_not(name) is None]
"""The compiled backends that are usable."""


def sphere(subdivisions: int, radius: float = 1.0) -> tuple[Tensor, Tensor]:
    ball = trimesh.creation.icosphere(subdivisions, radius)
    return torch.tensor(ball.vertices, dtype=torch.float32), torch.tensor(ball.faces)


def above(height: float, *, width: int = 32) -> Cameras:
    """One camera on +z that looks straight down."""
    return look_at(torch.tensor([[0.0, 0.0, height]]), fov_y_rad=0.8, width=width, height=width)


SQUARE = torch.tensor([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]])
SQUARE_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def soup(count: int, *, scale: float = 1.0, seed: int = 4) -> tuple[Tensor, Tensor]:
    """Triangles between random vertices, which cut through each other."""
    generator = torch.Generator().manual_seed(seed)
    vertices = scale * torch.randn(count, 3, generator=generator)
    return vertices, torch.randint(count, (3 * count // 4, 3), generator=generator)


def random_like(tensors: list[Tensor], seed: int = 1) -> list[Tensor]:
    """Cotangents of the tensors' shapes."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(t.shape, generator=generator).to(t) for t in tensors]
