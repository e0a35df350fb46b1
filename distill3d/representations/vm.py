"""Density and colour as sums of planes times lines. Chen et al. 2022, TensoRF (arXiv 2203.09517).

The class of the paper's VM-48: components of density and of colour in each of the three directions, and a
linear basis that turns the products into colours.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d import field
from distill3d.field import Field
from distill3d.ops import grids

START = 0.1
"""Standard deviation of the entries of planes and lines in the beginning, as in the paper's code."""


class Vm(Field):
    """Vector-matrix decomposition of a density and a colour over [-1, 1]³, starting from a haze."""

    def __init__(
        self,
        density_planes: Float[Tensor, "3 N N K"],
        density_lines: Float[Tensor, "3 N K"],
        colour_planes: Float[Tensor, "3 N N D"],
        colour_lines: Float[Tensor, "3 N D"],
        basis: Float[Tensor, "W 3"],
        *,
        samples: int,
    ) -> None:
        super().__init__(samples=samples)
        self.density_planes = nn.Parameter(density_planes.detach().clone())
        self.density_lines = nn.Parameter(density_lines.detach().clone())
        self.colour_planes = nn.Parameter(colour_planes.detach().clone())
        self.colour_lines = nn.Parameter(colour_lines.detach().clone())
        self.basis = nn.Parameter(basis.detach().clone())

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        resolution: Annotated[int, "entries along each side of a plane"] = 48,
        density_rank: Annotated[int, "components of density in each direction"] = 16,
        colour_rank: Annotated[int, "components of colour in each direction"] = 16,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> Vm:
        """A grey haze, denser towards the centre."""
        if resolution < 2 or samples < 2 or density_rank < 1 or colour_rank < 1:
            raise ValueError(
                f"vm cannot start with resolution {resolution}, samples {samples}, density_rank "
                f"{density_rank} and colour_rank {colour_rank}; expected 2 or more of the first two, "
                "1 or more of the others"
            )
        generator = torch.Generator().manual_seed(seed)

        def noise(*shape: int) -> Tensor:
            return START * torch.randn(*shape, generator=generator)

        n, k, d = resolution, density_rank, colour_rank
        bases = noise(3 * d, 3) / START / (3 * d) ** 0.5
        return cls(
            noise(3, n, n, k), noise(3, n, k), noise(3, n, n, d), noise(3, n, d), bases, samples=samples
        )

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Vm:
        names = ("density_planes", "density_lines", "colour_planes", "colour_lines", "basis")
        scene = cls(*[state[name] for name in names], samples=int(state["samples"]))
        scene.load_state_dict(state)
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], None]:
        logits = grids.vm(self.colour_planes, self.colour_lines, x) @ self.basis
        return self.log_density(x), logits.sigmoid(), None

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        raw = grids.vm(self.density_planes, self.density_lines, x).sum(1)
        return field.log_sharp(raw + field.haze(x))

    def param_groups(self) -> list[dict[str, Any]]:
        density, colour = [self.density_planes, self.density_lines], [self.colour_planes, self.colour_lines]
        return [
            {"name": "density", "params": density, "lr": 0.05, "lr_final": 0.005},
            {"name": "colour", "params": colour, "lr": 0.05, "lr_final": 0.005},
            {"name": "basis", "params": [self.basis], "lr": 0.01, "lr_final": 0.001},
        ]
