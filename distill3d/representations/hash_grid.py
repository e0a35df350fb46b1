"""A hash grid with two small networks, as in Instant-NGP: Müller et al. 2022 (arXiv 2201.05989), section 5.4.

A density network on the grid's features gives a density and 15 features, and a colour network turns all 16,
with the direction of sight if wanted, into a colour. A fixed haze is added to the raw density, so that a
distillation begins with something to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import field
from distill3d.field import Field
from distill3d.ops.hashgrid_layout import HashGrid as Layout
from distill3d.ops.mlp import hashgrid_mlp
from distill3d.representations import _sight
from distill3d.representations._learned import listed, parameter, parameters, weights
from distill3d.scene import Scene, Seen

FEATURES = 16
"""Outputs of the density network, the first of them the raw density."""
PRESETS = {
    "quick": {
        "steps": 1000,
        "views": 8,
        "rays": 5000,
        "levels": 10,
        "log2_entries": 16,
        "coarsest": 8,
        "finest": 128,
        "width": 32,
        "samples": 128,
    },
    "standard": {
        "steps": 5000,
        "views": 8,
        "rays": 5000,
        "levels": 12,
        "log2_entries": 17,
        "coarsest": 8,
        "finest": 256,
        "width": 32,
        "samples": 192,
    },
    "high": {
        "steps": 20000,
        "views": 16,
        "rays": 8192,
        "levels": 16,
        "log2_entries": 19,
        "coarsest": 16,
        "finest": 1024,
        "width": 64,
        "samples": 512,
    },
}
"""Of fits to photographs: see `scene.PRESETS`."""
START = 0.1
"""The table's entries are uniform between minus and plus this in the beginning."""


class HashGrid(Field):
    """A density and a colour from a multiresolution hash grid over [-1, 1]³, starting from a haze."""

    def __init__(
        self,
        table: Float[Tensor, "N F"],
        density: Sequence[Tensor],
        colour: Sequence[Tensor],
        *,
        layout: Layout,
        samples: int,
    ) -> None:
        """`density` and `colour` are the networks' weights [outputs, inputs], layer by layer."""
        super().__init__(samples=samples)
        self.layout = layout
        self.directional = colour[0].shape[1] > FEATURES
        self.table = parameter(table)
        self.density = parameters(density)
        self.colour = parameters(colour)
        sizes = [layout.levels, layout.features, layout.log2_entries, layout.base_resolution]
        self.register_buffer("sizes", torch.tensor(sizes))
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
        width: Annotated[int, "width of the networks"] = 32,
        colour_layers: Annotated[int, "hidden layers of the colour network"] = 1,
        directional: Annotated[bool, "colours depend on the direction of sight"] = False,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> HashGrid:
        """A grey haze, denser towards the centre."""
        if levels < 1 or coarsest < 2 or finest < coarsest or width < 1 or colour_layers < 0 or samples < 2:
            raise ValueError(
                f"hash_grid cannot start with levels {levels}, coarsest {coarsest}, finest {finest}, width "
                f"{width}, colour_layers {colour_layers} and samples {samples}; expected 1 or more levels "
                "and width, 2 or more samples and coarsest, finest not under coarsest, colour_layers from 0"
            )
        layout = Layout.spanning(coarsest, finest, levels=levels, log2_entries=log2_entries)
        generator = torch.Generator().manual_seed(seed)
        table = START * (2 * torch.rand(layout.table_shape, generator=generator) - 1)
        sizes = (layout.outputs, width), (width, FEATURES)
        density = [weights(*size, generator) for size in sizes]
        colour = _sight.network(
            FEATURES, directional=directional, width=width, layers=colour_layers, generator=generator
        )
        return cls(table, density, colour, layout=layout, samples=samples)

    @classmethod
    def from_photographs(
        cls,
        seen: Seen,
        *,
        seed: int = 0,
        levels: Annotated[int, "resolutions of the grid"] = 12,
        log2_entries: Annotated[int, "base-2 logarithm of the most entries of a level"] = 17,
        coarsest: Annotated[int, "entries along each side of the coarsest level"] = 8,
        finest: Annotated[int, "entries along each side of the finest level"] = 256,
        width: Annotated[int, "width of the networks"] = 32,
        colour_layers: Annotated[int, "hidden layers of the colour network"] = 1,
        directional: Annotated[bool, "colours depend on the direction of sight"] = True,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 192,
    ) -> Scene:
        """As `start`, larger and looked at more closely."""
        return super().from_photographs(
            seen,
            seed=seed,
            levels=levels,
            log2_entries=log2_entries,
            coarsest=coarsest,
            finest=finest,
            width=width,
            colour_layers=colour_layers,
            directional=directional,
            samples=samples,
        )

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> HashGrid:
        levels, features, log2_entries, base = (int(size) for size in state["sizes"])
        layout = Layout(3, levels, features, log2_entries, base, float(state["growth"]))
        networks = [listed(state, name) for name in ("density", "colour")]
        scene = cls(state["table"], *networks, layout=layout, samples=int(state["samples"]))
        scene.load_state_dict(state)
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"]]:
        features = self._features(x, list(self.density))
        raw = features[:, 0] + field.haze(x)
        return field.log_sharp(raw), _sight.colour(features, d, list(self.colour)), features[:, 1:]

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        *hidden, last = self.density
        return field.log_sharp(self._features(x, [*hidden, last[:1]])[:, 0] + field.haze(x))

    def _features(self, x: Float[Tensor, "P 3"], weights: Sequence[Tensor]) -> Float[Tensor, "P D"]:
        return hashgrid_mlp((x + 1) / 2, self.table, self.layout, weights)

    def param_groups(self) -> list[dict[str, Any]]:
        networks = [*self.density, *self.colour]
        slower = 4 if self.photographed else 1  # in the end: photographs are sharper than a score
        return [
            {"name": "table", "params": [self.table], "lr": 0.02, "lr_final": 0.002 / slower},
            {"name": "networks", "params": networks, "lr": 0.005, "lr_final": 5e-4 / slower},
        ]
