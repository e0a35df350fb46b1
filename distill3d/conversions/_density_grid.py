"""A field's density on a dense grid, to take a surface from: a network is asked once for each point of space
that may hold something, and not at every sample of every ray.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.conversions.inherited import look_into
from distill3d.conversions.resampled import raw_densities
from distill3d.field import Field, log_sharp
from distill3d.ops import grids

FINEST = 384
"""Grid points along each side at most: 0.2 GB."""


class DensityGrid(Field):
    """Raw densities at the points of a grid over [-1, 1]³, interpolated; all of it is black."""

    raw_density: Tensor

    def __init__(self, raw_density: Float[Tensor, "Z Y X"], *, samples: int) -> None:
        super().__init__(samples=samples)
        self.register_buffer("raw_density", raw_density)

    @classmethod
    @torch.no_grad()
    def of(cls, source: Field, *, resolution: int) -> DensityGrid:
        """The density of `source`, as fine as `resolution` grid points a side show it; see `FINEST`."""
        look_into(source)
        grid = cls(raw_densities(source, min(resolution, FINEST)), samples=int(source.samples))
        grid.remembered.copy_(torch.where(source.occupied[0], torch.inf, -torch.inf))
        return grid.to(source.remembered.device)

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], None]:
        return self.log_density(x), torch.zeros_like(x), None

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        return log_sharp(grids.voxels(self.raw_density[..., None], x)[:, 0])
