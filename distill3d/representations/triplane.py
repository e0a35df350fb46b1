"""Features on three planes, summed, and a small decoder. Chan et al. 2022, EG3D (arXiv 2112.07945).

The decoder says a density and a colour, or a density and features of which a second perceptron makes colours
that follow the direction of sight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import field
from distill3d.field import Field
from distill3d.ops import grids
from distill3d.representations import _sight, _upsampling
from distill3d.representations._learned import listed, parameter, parameters
from distill3d.scene import Scene, Seen

PRESETS = {
    "quick": {
        "steps": 800,
        "views": 8,
        "rays": 5000,
        "resolution": 96,
        "channels": 16,
        "width": 32,
        "samples": 128,
    },
    "standard": {
        "steps": 4000,
        "views": 8,
        "rays": 5000,
        "resolution": 192,
        "channels": 24,
        "width": 64,
        "samples": 192,
    },
    "high": {
        "steps": 20000,
        "views": 16,
        "rays": 8192,
        "resolution": 384,
        "channels": 48,
        "width": 64,
        "samples": 512,
    },
}
"""Of fits to photographs: see `scene.PRESETS`."""
DECODED = 16
"""Outputs of the decoder where a second perceptron makes the colours: a raw density and features."""
START = 0.1
"""Standard deviation of the planes' entries in the beginning."""


class Triplane(Field):
    """Three feature planes over [-1, 1]³ and a decoder to density and colour, starting from a haze."""

    finest: Tensor
    """The resolution that the planes reach during a fit."""

    def __init__(
        self,
        planes: Float[Tensor, "3 N N D"],
        weights_in: Float[Tensor, "D W"],
        weights_out: Float[Tensor, "W C"],
        colour: Sequence[Tensor] = (),
        *,
        samples: int,
    ) -> None:
        """`colour` are the weights of a perceptron on all that is decoded; without, that is raw density and
        colour.
        """
        super().__init__(samples=samples)
        self.planes = parameter(planes)
        self.weights_in = parameter(weights_in)
        self.weights_out = parameter(weights_out)
        self.colour = parameters(colour)
        self.directional = len(colour) > 0 and colour[0].shape[1] > weights_out.shape[1]
        self.register_buffer("finest", torch.tensor(planes.shape[1]))

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        resolution: Annotated[int, "entries along each side of a plane"] = 64,
        channels: Annotated[int, "features of each entry"] = 16,
        width: Annotated[int, "width of the decoder"] = 32,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> Triplane:
        """A grey haze, denser towards the centre."""
        generator = torch.Generator().manual_seed(seed)
        return cls(*_hazy(resolution, channels, width, 4, generator), samples=samples)

    @classmethod
    def from_photographs(
        cls,
        seen: Seen,
        *,
        seed: int = 0,
        resolution: Annotated[int, "entries along each side of a plane, in the end"] = 192,
        channels: Annotated[int, "features of each entry"] = 24,
        width: Annotated[int, "width of the networks"] = 64,
        colour_layers: Annotated[int, "hidden layers of the colour network"] = 1,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 192,
    ) -> Scene:
        """As `start`, coarse to begin with, and with a network for colours that follow the sight."""
        generator = torch.Generator().manual_seed(seed)
        tables = _hazy(_upsampling.coarse(resolution), channels, width, DECODED, generator)
        colour = _sight.network(
            DECODED, directional=True, width=width, layers=colour_layers, generator=generator
        )
        scene = cls(*tables, colour, samples=samples)
        scene.finest.fill_(resolution)
        scene.photographed.fill_(True)
        return scene

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Triplane:
        tables = state["planes"], state["weights_in"], state["weights_out"]
        scene = cls(*tables, listed(state, "colour"), samples=int(state["samples"]))
        scene.load_state_dict({"finest": scene.finest, **state})  # files from before had one resolution
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"]]:
        features = grids.triplane(self.planes, x)
        decoded = self._decoded(features, self.weights_out)
        log_density = field.log_sharp(decoded[:, 0] + field.haze(x))
        if not len(self.colour):
            return log_density, decoded[:, 1:].sigmoid(), features
        return log_density, _sight.colour(decoded, d, list(self.colour)), decoded[:, 1:]

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        raw = self._decoded(grids.triplane(self.planes, x), self.weights_out[:, :1])
        return field.log_sharp(raw[:, 0] + field.haze(x))

    def _decoded(self, features: Float[Tensor, "P D"], out: Float[Tensor, "W C"]) -> Float[Tensor, "P C"]:
        return (features @ self.weights_in).relu() @ out

    def param_groups(self) -> list[dict[str, Any]]:
        networks = [self.weights_in, self.weights_out, *self.colour]
        planes, decoder = (0.05, 0.01) if self.photographed else (0.02, 0.005)
        return [
            {"name": "planes", "params": [self.planes], "lr": planes, "lr_final": planes / 10},
            {"name": "networks", "params": networks, "lr": decoder, "lr_final": decoder / 10},
        ]

    def grow(
        self, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        """Make the planes finer when the pictures become larger; see `Field.grow`."""
        resolution = _upsampling.due(int(self.finest), step, steps)
        if resolution is not None and resolution > self.planes.shape[1]:
            finer = _upsampling.planes(self.planes.detach(), resolution)
            _upsampling.replace(self, optimizer, {"planes": finer})
        super().grow(step, steps, optimizer, generator)


def _hazy(
    resolution: int, channels: int, width: int, outputs: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """The planes and the decoder to start from."""
    if resolution < 2 or channels < 1 or width < 1:
        raise ValueError(
            f"triplane cannot start with resolution {resolution}, channels {channels} and width {width}; "
            "expected 2 or more of the first and 1 or more of the others"
        )
    return (
        START * torch.randn(3, resolution, resolution, channels, generator=generator),
        torch.randn(channels, width, generator=generator) * (2 / channels) ** 0.5,
        torch.randn(width, outputs, generator=generator) / width**0.5,
    )
