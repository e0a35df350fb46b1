"""A radiance field that is nothing but a network. Mildenhall et al. 2020, NeRF (arXiv 2003.08934), small.

The network sees a point's coordinates and their sines and cosines at rising frequencies (section 5.1,
equation 4), and says a density and a colour that does not depend on the direction of sight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d import field
from distill3d.field import Field
from distill3d.ops.mlp import MAX_LAYERS, MAX_WIDTH, mlp


class Mlp(Field):
    """A perceptron from points of [-1, 1]³ to density and colour, starting from a haze."""

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor], *, samples: int) -> None:
        super().__init__(samples=samples)
        self.weights = nn.ParameterList([weight.detach().clone() for weight in weights])
        self.biases = nn.ParameterList([bias.detach().clone() for bias in biases])
        self.frequencies = (weights[0].shape[1] - 3) // 6

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        frequencies: Annotated[int, "octaves of sines and cosines of the coordinates"] = 5,
        width: Annotated[int, "width of the network"] = 64,
        layers: Annotated[int, "hidden layers of the network"] = 2,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> Mlp:
        """A grey haze, denser towards the centre."""
        most = (MAX_WIDTH - 3) // 6
        if (
            not (0 <= frequencies <= most and 1 <= width <= MAX_WIDTH and 1 <= layers < MAX_LAYERS)
            or samples < 2
        ):
            raise ValueError(
                f"mlp cannot start with frequencies {frequencies}, width {width}, layers {layers} and "
                f"samples {samples}; expected frequencies up to {most}, width 1 to {MAX_WIDTH}, layers 1 to "
                f"{MAX_LAYERS - 1}, and 2 or more samples"
            )
        generator = torch.Generator().manual_seed(seed)
        sizes = [3 + 6 * frequencies, *[width] * layers, 4]
        weights = [
            math.sqrt(2 / inputs) * torch.randn(outputs, inputs, generator=generator)
            for inputs, outputs in pairwise(sizes)
        ]
        weights[-1] *= 0.3
        return cls(weights, [torch.zeros(size) for size in sizes[1:]], samples=samples)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Mlp:
        layers = sum(key.startswith("weights.") for key in state)
        networks = [[state[f"{name}.{i}"] for i in range(layers)] for name in ("weights", "biases")]
        scene = cls(*networks, samples=int(state["samples"]))
        scene.load_state_dict(state)
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], None]:
        seen = waves(x, self.frequencies)
        outputs = mlp(seen, list(self.weights), list(self.biases))
        return field.log_sharp(outputs[:, 0] + field.haze(x)), outputs[:, 1:].sigmoid(), None

    def param_groups(self) -> list[dict[str, Any]]:
        parameters = [*self.weights, *self.biases]
        return [{"name": "network", "params": parameters, "lr": 0.004, "lr_final": 4e-4}]


def waves(x: Float[Tensor, "P 3"], frequencies: int) -> Float[Tensor, "P K"]:
    """x, and sin(2ᵏ π x) and cos(2ᵏ π x) for k under `frequencies`."""
    phases = (x[:, None] * (math.pi * 2.0 ** torch.arange(frequencies, device=x.device))[:, None]).flatten(1)
    return torch.cat([x, phases.sin(), phases.cos()], 1)
