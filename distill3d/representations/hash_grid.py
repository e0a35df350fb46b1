"""A hash grid with two small networks, as in Instant-NGP: Müller et al. 2022 (arXiv 2201.05989), section 5.4.

A density network on the grid's features gives a density and 15 features, and a colour network turns all 16,
with the direction of sight if wanted, into a colour. A fixed haze is added to the raw density, so that a
distillation begins with something to see.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d import field, sh
from distill3d.field import Field
from distill3d.ops.hashgrid_layout import HashGrid as Layout
from distill3d.ops.mlp import hashgrid_mlp, mlp

FEATURES = 16
"""Outputs of the density network, the first of them the raw density."""
HARMONICS = 3
"""Degree in which the colour network sees the direction of sight."""
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
        self.table = nn.Parameter(table.detach().clone())
        self.density = nn.ParameterList([weight.detach().clone() for weight in density])
        self.colour = nn.ParameterList([weight.detach().clone() for weight in colour])
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
        directional: Annotated[bool, "colours depend on the direction of sight"] = False,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> HashGrid:
        """A grey haze, denser towards the centre."""
        if levels < 1 or coarsest < 2 or finest < coarsest or width < 1 or samples < 2:
            raise ValueError(
                f"hash_grid cannot start with levels {levels}, coarsest {coarsest}, finest {finest}, width "
                f"{width} and samples {samples}; expected 1 or more levels and width, 2 or more samples and "
                "coarsest, and finest not under coarsest"
            )
        growth = (finest / coarsest) ** (1 / max(levels - 1, 1))
        layout = Layout(levels=levels, log2_entries=log2_entries, base_resolution=coarsest, growth=growth)
        generator = torch.Generator().manual_seed(seed)
        table = START * (2 * torch.rand(layout.table_shape, generator=generator) - 1)
        seen = FEATURES + ((HARMONICS + 1) ** 2 if directional else 0)
        return cls(
            table,
            [_weights(layout.outputs, width, generator), _weights(width, FEATURES, generator)],
            [_weights(seen, width, generator), _weights(width, 3, generator)],
            layout=layout,
            samples=samples,
        )

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> HashGrid:
        levels, features, log2_entries, base = (int(size) for size in state["sizes"])
        layout = Layout(3, levels, features, log2_entries, base, float(state["growth"]))
        networks = [_listed(state, name) for name in ("density", "colour")]
        scene = cls(state["table"], *networks, layout=layout, samples=int(state["samples"]))
        scene.load_state_dict(state)
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"]]:
        features = self._features(x, list(self.density))
        raw = features[:, 0] + field.haze(x)
        seen = features if d is None else torch.cat([features, sh.basis(d, HARMONICS)], 1)
        return field.log_sharp(raw), mlp(seen, list(self.colour)).sigmoid(), features[:, 1:]

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        *hidden, last = self.density
        return field.log_sharp(self._features(x, [*hidden, last[:1]])[:, 0] + field.haze(x))

    def _features(self, x: Float[Tensor, "P 3"], weights: Sequence[Tensor]) -> Float[Tensor, "P D"]:
        return hashgrid_mlp((x + 1) / 2, self.table, self.layout, weights)

    def param_groups(self) -> list[dict[str, Any]]:
        networks = [*self.density, *self.colour]
        return [
            {"name": "table", "params": [self.table], "lr": 0.02, "lr_final": 0.002},
            {"name": "networks", "params": networks, "lr": 0.005, "lr_final": 5e-4},
        ]


def _weights(inputs: int, outputs: int, generator: torch.Generator) -> Float[Tensor, "W K"]:
    """Uniform, with a variance of 2 / (inputs + outputs)."""
    reach = math.sqrt(6 / (inputs + outputs))
    return reach * (2 * torch.rand(outputs, inputs, generator=generator) - 1)


def _listed(state: dict[str, Any], name: str) -> list[Tensor]:
    """The tensors `name`.0, `name`.1 and so on."""
    count = sum(key.startswith(f"{name}.") for key in state)
    return [state[f"{name}.{i}"] for i in range(count)]
