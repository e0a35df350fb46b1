"""A dense grid of density and colour, ray-marched with the emission-absorption quadrature of Max 1995."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d import field
from distill3d.field import Field
from distill3d.ops import grids


class Voxels(Field):
    """A dense voxel grid over [-1, 1]³: density and colour at its corners, interpolated between them."""

    def __init__(
        self, raw_density: Float[Tensor, "Z Y X"], colour_logits: Float[Tensor, "3 Z Y X"], *, samples: int
    ) -> None:
        super().__init__(samples=samples)
        self.raw_density = nn.Parameter(raw_density.detach().clone())
        self.colour_logits = nn.Parameter(colour_logits.detach().clone())

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
        z, y, x = torch.meshgrid(line, line, line, indexing="ij")
        colour = 0.1 * torch.randn(3, *x.shape, generator=generator)
        return cls(field.haze(torch.stack([x, y, z], -1)), colour, samples=samples)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Voxels:
        scene = cls(state["raw_density"], state["colour_logits"], samples=int(state["samples"]))
        scene.load_state_dict({**scene.state_dict(), **state})  # files from before fields remember nothing
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], None]:
        table = torch.cat([self.raw_density[None], self.colour_logits]).movedim(0, -1)
        raw, logits = grids.voxels(table, x).split([1, 3], 1)
        return field.log_sharp(raw[:, 0]), logits.sigmoid(), None

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        return field.log_sharp(grids.voxels(self.raw_density[..., None], x)[:, 0])

    def param_groups(self) -> list[dict[str, Any]]:
        return [
            {"name": "density", "params": [self.raw_density], "lr": 0.2, "lr_final": 0.02},
            {"name": "colour", "params": [self.colour_logits], "lr": 0.1, "lr_final": 0.02},
        ]
