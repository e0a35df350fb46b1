"""The architectures that PVD distils into each other: from points to logarithms of densities and colours.

Fang et al. 2023 (arXiv 2211.15977), PVD, section 3: what a field stores (block 1) is a network, planes and
lines, or a grid; small perceptrons (block 2) make densities and colours of it, where the grid needs none.
Points are in the cube [-1, 1]³; perceptrons see the harmonics of the direction before the features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d import sh
from distill3d.ops import grids
from distill3d.ops.mlp import mlp
from distill3d.representations import _sight
from distill3d.representations._learned import listed, parameter, parameters

LOWEST, HIGHEST = -2.0, 7.0
"""Between which PVD keeps the logarithms of densities, and planes' and lines' features of colour."""


class Block(nn.Module):
    """What of a field of PVD's differs between its architectures."""

    comparable = True
    """Whether its features are those that PVD compares between architectures."""

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Block:
        """The block of this kind whose parameters these are."""
        raise TypeError(f"{cls.__name__} opens no state")

    def forward(self, p: Float[Tensor, "P 3"]) -> tuple[Float[Tensor, " P"], Float[Tensor, "P D"]]:
        """Logarithms of densities, not yet within their limits, and what colours are made of."""
        raise TypeError(f"{type(self).__name__} answers nothing")

    def log_density(self, p: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        """The first of what `forward` answers."""
        return self(p)[0]

    def colour(self, features: Float[Tensor, "P D"], d: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
        """Colours in [0, 1] along unit directions: a perceptron named `radiance` on what is seen."""
        seen = torch.cat([sh.basis(d, _sight.DEGREE), features], 1)
        return mlp(seen, list(self.get_submodule("radiance").parameters())).sigmoid()

    def tables(self) -> list[nn.Parameter]:
        """The parameters that are no weights of networks: they learn faster."""
        return []


class Network(Block):
    """NeRF's: a deep perceptron on waves of the coordinates, which a later layer sees again."""

    def __init__(
        self,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
        density: Sequence[Tensor],
        radiance: Sequence[Tensor],
    ) -> None:
        """Layers wider than what comes out of the one before see the waves again, in front of that."""
        super().__init__()
        self.weights, self.biases = parameters(weights), parameters(biases)
        self.density, self.radiance = parameters(density), parameters(radiance)
        self.frequencies = (weights[0].shape[1] - 3) // 6

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Network:
        names = ("weights", "biases", "density", "radiance")
        return cls(*(listed(state, name) for name in names))

    def forward(self, p: Float[Tensor, "P 3"]) -> tuple[Float[Tensor, " P"], Float[Tensor, "P D"]]:
        outputs = mlp(self._deep(p), list(self.density))
        return outputs[:, 0], outputs[:, 1:]

    def log_density(self, p: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        *hidden, last = self.density
        return mlp(self._deep(p), [*hidden, last[:1]])[:, 0]

    def _deep(self, p: Float[Tensor, "P 3"]) -> Float[Tensor, "P C"]:
        seen = values = waves(p, self.frequencies)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = values if layer == 0 else values.relu()
            if weight.shape[1] > values.shape[1]:
                values = torch.cat([seen, values], 1)
            values = torch.addmm(bias, values, weight.T)
        return values


class Planes(Block):
    """TensoRF's: planes and lines, summed to the density and mixed to the colour's features."""

    def __init__(
        self,
        density_planes: Float[Tensor, "3 N N K"],
        density_lines: Float[Tensor, "3 N K"],
        colour_planes: Float[Tensor, "3 N N D"],
        colour_lines: Float[Tensor, "3 N D"],
        basis: Float[Tensor, "F W"],
        radiance: Sequence[Tensor],
    ) -> None:
        super().__init__()
        self.density_planes, self.density_lines = parameter(density_planes), parameter(density_lines)
        self.colour_planes, self.colour_lines = parameter(colour_planes), parameter(colour_lines)
        self.basis = parameter(basis)
        self.radiance = parameters(radiance)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Planes:
        names = ("density_planes", "density_lines", "colour_planes", "colour_lines", "basis")
        return cls(**{name: state[name] for name in names}, radiance=listed(state, "radiance"))

    def forward(self, p: Float[Tensor, "P 3"]) -> tuple[Float[Tensor, " P"], Float[Tensor, "P D"]]:
        features = grids.vm(self.colour_planes, self.colour_lines, p) @ self.basis.T
        return self.log_density(p), features.clamp(LOWEST, HIGHEST)

    def log_density(self, p: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        return grids.vm(self.density_planes, self.density_lines, p).sum(1)

    def tables(self) -> list[nn.Parameter]:
        return [self.density_planes, self.density_lines, self.colour_planes, self.colour_lines]


class Voxels(Block):
    """Plenoxels': a dense grid of densities and of harmonics, all of red first, then green, then blue."""

    comparable = False

    def __init__(self, density: Float[Tensor, "Z Y X"], harmonics: Float[Tensor, "Z Y X C"]) -> None:
        super().__init__()
        self.density, self.harmonics = parameter(density), parameter(harmonics)
        self.degree = sh.degree_of(harmonics.shape[-1] // 3)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Voxels:
        return cls(state["density"], state["harmonics"])

    def forward(self, p: Float[Tensor, "P 3"]) -> tuple[Float[Tensor, " P"], Float[Tensor, "P D"]]:
        return self.log_density(p), grids.voxels(self.harmonics, p)

    def log_density(self, p: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        return grids.voxels(self.density[..., None], p)[:, 0]

    def colour(self, features: Float[Tensor, "P D"], d: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
        seen = sh.basis(d, self.degree)[:, None]
        return (features.unflatten(1, (3, -1)) * seen).sum(-1).sigmoid()

    def tables(self) -> list[nn.Parameter]:
        return [self.density, self.harmonics]


def waves(p: Float[Tensor, "P 3"], frequencies: int) -> Float[Tensor, "P C"]:
    """p, and sin(2ᵏ p) and cos(2ᵏ p) in turn for k under `frequencies`, without NeRF's π."""
    return torch.cat(
        [p, *(wave(p * 2.0**k) for k in range(frequencies) for wave in (torch.sin, torch.cos))], 1
    )
