"""Nerfacto's field as nerfstudio trains it, so that its fields can be held number by number.

Tancik et al. 2023, Nerfstudio (arXiv 2302.04264), section 4: a hash grid and two perceptrons with biases, an
exponential density, and colours that see the direction of sight by its harmonics and the density network's
other outputs. What is trained beside them for each photograph is a part of the biases here.

Levels of the grid may have tables of their own, each with a shift: nerfstudio's grids in plain torch have
entries at x·s where those of tiny-cuda-nn have them at x·s + ½.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import sh
from distill3d.ops.hashgrid import hashgrid
from distill3d.ops.hashgrid_layout import HashGrid
from distill3d.ops.mlp import mlp
from distill3d.representations._learned import listed, parameters, weights
from distill3d.representations._placed import Place, Placed

FEATURES = 15
"""Outputs of the density network after the first, which is the logarithm of the density."""
HARMONICS = 3
"""Degree in which the colour network sees the direction of sight."""
START = 0.1
"""Entries of the tables are uniform between minus and plus this in the beginning."""
GRID = ("levels", "features", "log2_entries", "base_resolution")

Network = tuple[Sequence[Tensor], Sequence[Tensor]]
"""Weights [outputs, inputs] and biases [outputs] of a perceptron, layer by layer."""


class Nerfacto(Placed):
    """Hash grids with an exponential density and colours that depend on the direction of sight."""

    sizes: Tensor
    growth: Tensor
    shifts: Tensor

    def __init__(
        self,
        grids: Sequence[HashGrid],
        tables: Sequence[Tensor],
        density: Network,
        colour: Network,
        *,
        shifts: Sequence[float],
        samples: int,
        place: Place | None = None,
    ) -> None:
        """`shifts` are taken from positions in [0, 1]³ before each grid is looked into.

        The colour network sees the harmonics and then the density network's outputs but the first.
        """
        super().__init__(samples=samples, place=place)
        self.grids = tuple(grids)
        self.register_buffer("sizes", torch.tensor([[getattr(g, name) for name in GRID] for g in grids]))
        self.register_buffer("growth", torch.tensor([g.growth for g in grids], dtype=torch.float64))
        self.register_buffer("shifts", torch.tensor(shifts, dtype=torch.float32))
        self.tables = parameters(tables)
        self.density, self.density_biases = (parameters(tensors) for tensors in density)
        self.colour, self.colour_biases = (parameters(tensors) for tensors in colour)

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        levels: Annotated[int, "resolutions of the grid"] = 8,
        log2_entries: Annotated[int, "base-2 logarithm of the most entries of a level"] = 15,
        coarsest: Annotated[int, "entries along each side of the coarsest level"] = 8,
        finest: Annotated[int, "entries along each side of the finest level"] = 96,
        width: Annotated[int, "width of the networks"] = 64,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> Nerfacto:
        """A grey fog of density 1."""
        if levels < 1 or coarsest < 2 or finest < coarsest or width < 1 or samples < 2:
            raise ValueError(
                f"nerfacto cannot start with levels {levels}, coarsest {coarsest}, finest {finest}, width "
                f"{width} and samples {samples}; expected 1 or more levels and width, 2 or more samples and "
                "coarsest, and finest not under coarsest"
            )
        grid = HashGrid.spanning(coarsest, finest, levels=levels, log2_entries=log2_entries)
        generator = torch.Generator().manual_seed(seed)

        def network(*widths: int) -> Network:
            """No biases yet."""
            biases = [torch.zeros(outputs) for outputs in widths[1:]]
            return [weights(*sizes, generator) for sizes in pairwise(widths)], biases

        return cls(
            [grid],
            [START * (2 * torch.rand(grid.table_shape, generator=generator) - 1)],
            network(grid.outputs, width, 1 + FEATURES),
            network((HARMONICS + 1) ** 2 + FEATURES, width, width, 3),
            shifts=[0.0],
            samples=samples,
        )

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Nerfacto:
        growths, shifts = state["growth"].tolist(), state["shifts"].tolist()
        sizes = [dict(zip(GRID, row, strict=True)) for row in state["sizes"].tolist()]
        grids = [HashGrid(**row, growth=growth) for row, growth in zip(sizes, growths, strict=True)]
        density, colour = (
            (listed(state, name), listed(state, f"{name}_biases")) for name in ("density", "colour")
        )
        samples, place = int(state["samples"]), Place.from_state(state)
        scene = cls(
            grids, listed(state, "tables"), density, colour, shifts=shifts, samples=samples, place=place
        )
        scene.load_state_dict(state)
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"]]:
        if d is None:
            raise ValueError("given no directions; colours of nerfacto depend on them")
        source = self.source(x)
        outputs = mlp(self._encoded(source), list(self.density), list(self.density_biases))
        seen = torch.cat([sh.basis(self.source_directions(d), HARMONICS), outputs[:, 1:]], 1)
        rgb = mlp(seen, list(self.colour), list(self.colour_biases)).sigmoid()
        return self.in_world(source, outputs[:, 0]), rgb, outputs[:, 1:]

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        *weights, last = self.density
        *biases, last_bias = self.density_biases
        source = self.source(x)
        raw = mlp(self._encoded(source), [*weights, last[:1]], [*biases, last_bias[:1]])
        return self.in_world(source, raw[:, 0])

    def _encoded(self, source: Float[Tensor, "P 3"]) -> Float[Tensor, "P D"]:
        """The features of all grids."""
        shares = self.in_cube(source)
        return torch.cat(
            [
                hashgrid(shares - shift, table, grid)
                for shift, table, grid in zip(self.shifts, self.tables, self.grids, strict=True)
            ],
            1,
        )

    def param_groups(self) -> list[dict[str, Any]]:
        networks = [*self.density, *self.density_biases, *self.colour, *self.colour_biases]
        return [
            {"name": "tables", "params": list(self.tables), "lr": 0.02, "lr_final": 0.002},
            {"name": "networks", "params": networks, "lr": 0.005, "lr_final": 5e-4},
        ]
