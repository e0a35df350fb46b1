"""A dense grid of density and colour, ray-marched with the emission-absorption quadrature of Max 1995.

w_i = T_i (1 - exp(-σ_i δ)),  T_i = exp(-Σ_{j<i} σ_j δ)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.scene import WANT, Scene

SHARPNESS = 25.0  # density of a raw value x is SHARPNESS softplus(x), per world unit


class Voxels(Scene):
    """A dense voxel grid over [-1, 1]³: density and colour at its corners, interpolated between them."""

    samples: Tensor

    def __init__(
        self, raw_density: Float[Tensor, "Z Y X"], colour_logits: Float[Tensor, "3 Z Y X"], *, samples: int
    ) -> None:
        super().__init__()
        self.raw_density = nn.Parameter(raw_density.detach().clone())
        self.colour_logits = nn.Parameter(colour_logits.detach().clone())
        self.register_buffer("samples", torch.tensor(samples))

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        resolution: Annotated[int, "grid points along each side"] = 48,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> Voxels:
        """A grey haze, denser towards the centre."""
        if resolution < 2 or samples < 2:
            raise ValueError(
                f"voxels cannot start with resolution {resolution} and samples {samples}; "
                "expected 2 or more of each"
            )
        generator = torch.Generator().manual_seed(seed)
        line = torch.linspace(-1, 1, resolution)
        distance = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).norm(dim=0)
        colour = 0.1 * torch.randn(3, *distance.shape, generator=generator)
        return cls(-1.0 - 3.0 * distance, colour, samples=samples)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Voxels:
        return cls(state["raw_density"], state["colour_logits"], samples=int(state["samples"]))

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """March every ray through its stretch of the unit ball at midpoints of equal steps."""
        batch = cameras.shape
        origins, directions = (v.reshape(-1, cameras.height * cameras.width, 3) for v in cameras.rays())
        near, far = _through_ball(origins, directions)
        count = int(self.samples)
        step = (far - near) / count
        z = near[..., None] + step[..., None] * (torch.arange(count) + 0.5)
        points = origins[:, :, None] + directions[:, :, None] * z[..., None]
        density, colour = self._sample(points)
        optical = density * (step * directions.norm(dim=-1))[..., None]
        before = optical.cumsum(-1) - optical
        w = (-before).exp() * (1 - (-optical).exp())
        shape = (*batch, cameras.height, cameras.width)
        rgb = torch.einsum("brs,brsc->brc", w, colour).reshape(*shape, 3)
        depth = (w * z).sum(-1).reshape(*shape, 1) if "depth" in want else None
        return Rendering(rgb, w.sum(-1).reshape(*shape, 1), depth)

    def _sample(
        self, points: Float[Tensor, "B R S 3"]
    ) -> tuple[Float[Tensor, "B R S"], Float[Tensor, "B R S 3"]]:
        """Density and colour at world points; a batch entry at a time in parallel."""
        grid = torch.cat([self.raw_density[None], self.colour_logits])
        found = nn.functional.grid_sample(
            grid.expand(len(points), *grid.shape), points[:, None], align_corners=True, padding_mode="border"
        )[:, :, 0]
        return SHARPNESS * nn.functional.softplus(found[:, 0]), found[:, 1:].movedim(1, -1).sigmoid()

    def param_groups(self) -> list[dict[str, Any]]:
        return [
            {"name": "density", "params": [self.raw_density], "lr": 0.2, "lr_final": 0.02},
            {"name": "colour", "params": [self.colour_logits], "lr": 0.1, "lr_final": 0.02},
        ]


def _through_ball(
    origins: Float[Tensor, "B R 3"], directions: Float[Tensor, "B R 3"]
) -> tuple[Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """Where rays enter and leave the unit ball, in units of `directions`; the same where they miss it."""
    a = directions.square().sum(-1)
    b = (origins * directions).sum(-1)
    c = origins.square().sum(-1) - 1
    root = (b.square() - a * c).clamp_min(0).sqrt()
    return ((-b - root) / a).clamp_min(0), ((-b + root) / a).clamp_min(0)
