"""Instant-NGP as its authors train it, so that its fields can be held number by number.

Müller et al. 2022 (arXiv 2201.05989), section 5.4: the density is the exponential of the density network's
first output, the colour network sees all its outputs and the harmonics of the direction of sight. `hash_grid`
is the same idea made for distillation.

A field of this kind has coordinates of its own, its source's, in which its grid lies and its densities and
directions are meant; it stands in our world by a similarity.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import sh
from distill3d.ops.hashgrid_layout import HashGrid as Layout
from distill3d.ops.mlp import hashgrid_mlp, mlp
from distill3d.representations._learned import listed, parameter, parameters, weights
from distill3d.representations._placed import Place, Placed

FEATURES = 16
"""Outputs of the density network, the first of them the logarithm of the density."""
HARMONICS = 3
"""Degree in which the colour network sees the direction of sight."""
START = 0.1
"""The table's entries are uniform between minus and plus this in the beginning."""


class InstantNgp(Placed):
    """A hash grid with an exponential density and colours that depend on the direction of sight."""

    def __init__(
        self,
        table: Float[Tensor, "N F"],
        density: Sequence[Tensor],
        colour: Sequence[Tensor],
        *,
        layout: Layout,
        samples: int,
        place: Place | None = None,
    ) -> None:
        """`density` and `colour` are the networks' weights [outputs, inputs], layer by layer."""
        super().__init__(samples=samples, place=place)
        self.layout = layout
        self.table = parameter(table)
        self.density = parameters(density)
        self.colour = parameters(colour)
        sizes = [layout.levels, layout.features, layout.log2_entries, layout.base_resolution]
        self.register_buffer("sizes", torch.tensor([*sizes, int(layout.smooth), layout.border]))
        self.register_buffer("growth", torch.tensor(layout.growth, dtype=torch.float64))

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
    ) -> InstantNgp:
        """A grey fog of density 1."""
        if levels < 1 or coarsest < 2 or finest < coarsest or width < 1 or samples < 2:
            raise ValueError(
                f"instant_ngp cannot start with levels {levels}, coarsest {coarsest}, finest {finest}, width "
                f"{width} and samples {samples}; expected 1 or more levels and width, 2 or more samples and "
                "coarsest, and finest not under coarsest"
            )
        layout = Layout.spanning(coarsest, finest, levels=levels, log2_entries=log2_entries)
        generator = torch.Generator().manual_seed(seed)

        def network(*widths: int) -> list[Tensor]:
            return [weights(*sizes, generator) for sizes in pairwise(widths)]

        seen = FEATURES + (HARMONICS + 1) ** 2
        return cls(
            START * (2 * torch.rand(layout.table_shape, generator=generator) - 1),
            network(layout.outputs, width, FEATURES),
            network(seen, width, width, 3),
            layout=layout,
            samples=samples,
        )

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> InstantNgp:
        levels, features, log2_entries, base, smooth, border = (int(size) for size in state["sizes"])
        growth = float(state["growth"])
        layout = Layout(3, levels, features, log2_entries, base, growth, bool(smooth), border)
        networks = [listed(state, name) for name in ("density", "colour")]
        samples = int(state["samples"])
        scene = cls(state["table"], *networks, layout=layout, samples=samples, place=Place.from_state(state))
        scene.load_state_dict(state)
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"]]:
        if d is None:
            raise ValueError("given no directions; colours of instant_ngp depend on them")
        source = self.source(x)
        features = self._features(source, list(self.density))
        seen = torch.cat([features, sh.basis(self.source_directions(d), HARMONICS)], 1)
        return self.in_world(source, features[:, 0]), mlp(seen, list(self.colour)).sigmoid(), features[:, 1:]

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        *hidden, last = self.density
        source = self.source(x)
        return self.in_world(source, self._features(source, [*hidden, last[:1]])[:, 0])

    def _features(self, source: Float[Tensor, "P 3"], weights: Sequence[Tensor]) -> Float[Tensor, "P D"]:
        return hashgrid_mlp(self.in_cube(source), self.table, self.layout, weights)

    def param_groups(self) -> list[dict[str, Any]]:
        networks = [*self.density, *self.colour]
        return [
            {"name": "table", "params": [self.table], "lr": 0.02, "lr_final": 0.002},
            {"name": "networks", "params": networks, "lr": 0.005, "lr_final": 5e-4},
        ]
