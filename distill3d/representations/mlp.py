"""A radiance field that is nothing but a network. Mildenhall et al. 2020, NeRF (arXiv 2003.08934), small.

The network sees a point's coordinates and their sines and cosines at rising frequencies (section 5.1,
equation 4). It says a density and a colour, or a density and features of which a second perceptron makes
colours that follow the direction of sight. A middle layer may see the coordinates again (the paper's
figure 7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import field
from distill3d.field import Field
from distill3d.ops import mlp_reference
from distill3d.ops.mlp import MAX_LAYERS, MAX_WIDTH, mlp
from distill3d.representations import _sight
from distill3d.representations._learned import listed, parameters
from distill3d.scene import Scene, Seen

PRESETS = {
    "quick": {
        "steps": 800,
        "views": 8,
        "rays": 2500,
        "frequencies": 6,
        "width": 64,
        "layers": 3,
        "again": False,
        "colour_width": 32,
        "colour_layers": 1,
        "samples": 96,
    },
    "standard": {
        "steps": 4000,
        "views": 8,
        "rays": 2500,
        "frequencies": 7,
        "width": 64,
        "layers": 4,
        "again": False,
        "colour_width": 32,
        "colour_layers": 1,
        "samples": 128,
    },
    "high": {
        "steps": 20000,
        "views": 16,
        "rays": 8192,
        "frequencies": 10,
        "width": 256,
        "layers": 7,
        "again": True,
        "colour_width": 64,
        "colour_layers": 2,
        "samples": 512,
    },
}
"""Of fits to photographs: see `scene.PRESETS`."""
RATE = 40.0
"""The learning rate of a fit times the square of the network's width: 0.01 for 64, and 6e-4 for 256, which is
about that of Mildenhall et al. 2020 (arXiv 2003.08934); with 5e-3 such a network soon shows nothing."""
OUTPUTS = 16
"""Of the network where a second one makes the colours: a raw density and features."""
MOST_FREQUENCIES = 16


class Mlp(Field):
    """A perceptron from points of [-1, 1]³ to density and colour, starting from a haze."""

    def __init__(
        self,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
        colour: Sequence[Tensor] = (),
        *,
        samples: int,
    ) -> None:
        """A layer that is wider than the one before gives out sees the coordinates again.

        `colour` are the weights of a perceptron on all outputs; without, those are raw density and colour.
        """
        super().__init__(samples=samples)
        self.weights = parameters(weights)
        self.biases = parameters(biases)
        self.colour = parameters(colour)
        self.frequencies = (weights[0].shape[1] - 3) // 6
        self.directional = len(colour) > 0 and colour[0].shape[1] > weights[-1].shape[0]
        self.again = next(
            (i for i in range(1, len(weights)) if weights[i].shape[1] != weights[i - 1].shape[0]), None
        )

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
        networks = _hazy(frequencies, width, layers, False, 4, torch.Generator().manual_seed(seed))
        return cls(*networks, samples=samples)

    @classmethod
    def from_photographs(
        cls,
        seen: Seen,
        *,
        seed: int = 0,
        frequencies: Annotated[int, "octaves of sines and cosines of the coordinates"] = 7,
        width: Annotated[int, "width of the network"] = 64,
        layers: Annotated[int, "hidden layers of the network"] = 4,
        again: Annotated[bool, "a middle layer sees the coordinates again"] = False,
        colour_width: Annotated[int, "width of the colour network"] = 32,
        colour_layers: Annotated[int, "hidden layers of the colour network"] = 1,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 128,
    ) -> Scene:
        """As `start`, larger, and with a network for colours that follow the sight."""
        if colour_width < 1 or colour_layers < 0:
            raise ValueError(
                f"mlp cannot start with colour_width {colour_width} and colour_layers {colour_layers}; "
                "expected 1 or more of the first and 0 or more of the other"
            )
        generator = torch.Generator().manual_seed(seed)
        networks = _hazy(frequencies, width, layers, again, OUTPUTS, generator)
        colour = _sight.network(
            OUTPUTS, directional=True, width=colour_width, layers=colour_layers, generator=generator
        )
        scene = cls(*networks, colour, samples=samples)
        scene.photographed.fill_(True)
        return scene

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Mlp:
        networks = [listed(state, name) for name in ("weights", "biases", "colour")]
        scene = cls(*networks, samples=int(state["samples"]))
        scene.load_state_dict(state)
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"] | None]:
        outputs = self._outputs(x)
        log_density = field.log_sharp(outputs[:, 0] + field.haze(x))
        if not len(self.colour):
            return log_density, outputs[:, 1:].sigmoid(), None
        return log_density, _sight.colour(outputs, d, list(self.colour)), outputs[:, 1:]

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        return field.log_sharp(self._outputs(x)[:, 0] + field.haze(x))

    def _outputs(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, "P C"]:
        seen = waves(x, self.frequencies)
        weights, biases = list(self.weights), list(self.biases)
        if self.again is None:
            return perceptron(seen, weights, biases)
        half = perceptron(seen, weights[: self.again], biases[: self.again]).relu()
        return perceptron(torch.cat([half, seen], 1), weights[self.again :], biases[self.again :])

    def param_groups(self) -> list[dict[str, Any]]:
        parameters = [*self.weights, *self.biases, *self.colour]
        rate = RATE / len(self.weights[0]) ** 2
        first, last = (rate, rate / 20) if self.photographed else (0.004, 4e-4)
        return [{"name": "network", "params": parameters, "lr": first, "lr_final": last}]


def _hazy(
    frequencies: int, width: int, layers: int, again: bool, outputs: int, generator: torch.Generator
) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases to start from."""
    if not 0 <= frequencies <= MOST_FREQUENCIES or width < 1 or layers < 1 or (again and layers < 2):
        raise ValueError(
            f"mlp cannot start with frequencies {frequencies}, width {width} and layers {layers}; expected "
            f"frequencies up to {MOST_FREQUENCIES}, a width of 1 or more, and 1 or more layers, or 2 where "
            "one sees the coordinates again"
        )
    sizes = list(pairwise([3 + 6 * frequencies, *[width] * layers, outputs]))
    if again:
        inputs, out = sizes[(layers + 1) // 2]
        sizes[(layers + 1) // 2] = inputs + 3 + 6 * frequencies, out
    weights = [math.sqrt(2 / inputs) * torch.randn(out, inputs, generator=generator) for inputs, out in sizes]
    weights[-1] *= 0.3
    return weights, [torch.zeros(out) for _, out in sizes]


def perceptron(
    x: Float[Tensor, "P I"], weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> Float[Tensor, "P O"]:
    """Outputs of a perceptron of any size: kernels are for small ones, large ones are matrix products."""
    if len(weights) <= MAX_LAYERS and max(max(weight.shape) for weight in weights) <= MAX_WIDTH:
        return mlp(x, weights, biases)
    return mlp_reference.mlp(x, weights, biases, mlp_reference.Activation.RELU)


def waves(x: Float[Tensor, "P 3"], frequencies: int) -> Float[Tensor, "P K"]:
    """x, and sin(2ᵏ π x) and cos(2ᵏ π x) for k under `frequencies`."""
    phases = (x[:, None] * (math.pi * 2.0 ** torch.arange(frequencies, device=x.device))[:, None]).flatten(1)
    return torch.cat([x, phases.sin(), phases.cos()], 1)
