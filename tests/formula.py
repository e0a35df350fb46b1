"""Fields that are formulas, for tests: what a conversion makes of them can be worked out."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from distill3d.camera import Cameras, orbit
from distill3d.comparison import Comparison, compare
from distill3d.field import Field
from distill3d.scene import Scene


class Formula(Field):
    """A density and a colour by formulas of points [P, 3]; `directional` colours also of directions."""

    def __init__(
        self,
        density: Callable[[Tensor], Tensor],
        colour: Callable[..., Tensor],
        *,
        directional: bool = False,
        samples: int = 96,
    ) -> None:
        super().__init__(samples=samples)
        self.density, self.colour, self.directional = density, colour, directional
        self.remembered.zero_()
        for seed in range(3):
            self.look(torch.Generator().manual_seed(seed))

    def query(self, x, d):
        rgb = self.colour(x, d) if self.directional else self.colour(x)
        return self.density(x).clamp_min(1e-9).log(), rgb, None


def solid_ball(radius: float, softness: float = 0.005) -> Callable[[Tensor], Tensor]:
    """Opaque inside."""
    return lambda x: 300 * torch.sigmoid((radius - x.norm(dim=-1)) / softness)


def fog(x: Tensor) -> Tensor:
    """A cloud that is nowhere opaque."""
    return 4 * torch.exp(-x.square().sum(-1) / 0.32) * torch.sigmoid((0.9 - x.norm(dim=-1)) / 0.02)


def waves(x: Tensor) -> Tensor:
    return 0.5 + 0.4 * torch.sin(4 * x)


def glossy(x: Tensor, d: Tensor) -> Tensor:
    """Brighter where a ball is looked at squarely, and red there."""
    facing = -(normalize(x, dim=-1) * d).sum(-1, keepdim=True)
    return 0.2 + facing.clamp(0, 1) * torch.tensor([0.6, 0.2, 0.1])


def held_out(views: int = 3, size_px: int = 96) -> Cameras:
    """Cameras around, none of which a conversion places."""
    generator = torch.Generator().manual_seed(123)
    azimuths, elevations = torch.rand(2, views, generator=generator)
    return orbit(2 * math.pi * azimuths, 1.5 * elevations - 0.25, width=size_px, height=size_px)


@torch.no_grad()
def likeness(made: Scene, source: Scene, cameras: Cameras | None = None) -> Comparison:
    """How alike two scenes are, with depth and normals."""

    def renderer(scene: Scene):
        return lambda some: scene.render(some, want=("rgb", "alpha", "depth", "normal"))

    return compare(renderer(made), renderer(source), held_out() if cameras is None else cameras)


def psnr(made: Scene, source: Scene, cameras: Cameras | None = None) -> float:
    return float(likeness(made, source, cameras).scores.psnr.mean())
