"""Small meshes for the tests of mesh rendering, and the backends that they run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import trimesh
from torch import Tensor

from distill3d.camera import Cameras, look_at
from tests.ops.machines import Machine


@contextmanager
def on(machine: Machine) -> Iterator[str]:
    """Every operation in the block runs on a machine, whose device new tensors get; gives its backend."""
    with machine.in_use(), machine.device:
        yield machine.backend


def sphere(subdivisions: int, radius: float = 1.0) -> tuple[Tensor, Tensor]:
    ball = trimesh.creation.icosphere(subdivisions, radius)
    return torch.tensor(ball.vertices, dtype=torch.float32), torch.tensor(ball.faces)


def above(height: float, *, width: int = 32) -> Cameras:
    """One camera on +z that looks straight down."""
    return look_at(torch.tensor([[0.0, 0.0, height]]), fov_y_rad=0.8, width=width, height=width)


def square() -> Tensor:
    """The corners of -1 to 1 in x and y."""
    return torch.tensor([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]])


def square_faces() -> Tensor:
    """Its two halves."""
    return torch.tensor([[0, 1, 2], [0, 2, 3]])


def random(*size: int, seed: int = 1) -> Tensor:
    """Normal numbers, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*size, generator=generator, device="cpu").to(torch.get_default_device())


def soup(count: int, *, scale: float = 1.0, seed: int = 4) -> tuple[Tensor, Tensor]:
    """Triangles between random vertices, which cut through each other."""
    generator = torch.Generator().manual_seed(seed)
    faces = torch.randint(count, (3 * count // 4, 3), generator=generator, device="cpu")
    return scale * random(count, 3, seed=seed), faces.to(torch.get_default_device())


def random_like(tensors: list[Tensor], seed: int = 1) -> list[Tensor]:
    """Cotangents of the tensors' shapes."""
    return [random(*t.shape, seed=seed + i).to(t) for i, t in enumerate(tensors)]
