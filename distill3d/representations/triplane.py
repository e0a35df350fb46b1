"""Features on three planes, summed, and a small decoder. Chan et al. 2022, EG3D (arXiv 2112.07945)."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d import field
from distill3d.field import Field
from distill3d.ops import grids

START = 0.1
"""Standard deviation of the planes' entries in the beginning."""


class Triplane(Field):
    """Three feature planes over [-1, 1]³ and a decoder to density and colour, starting from a haze."""

    def __init__(
        self,
        planes: Float[Tensor, "3 N N D"],
        weights_in: Float[Tensor, "D W"],
        weights_out: Float[Tensor, "W 4"],
        *,
        samples: int,
    ) -> None:
        super().__init__(samples=samples)
        self.planes = nn.Parameter(planes.detach().clone())
        self.weights_in = nn.Parameter(weights_in.detach().clone())
        self.weights_out = nn.Parameter(weights_out.detach().clone())

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
        if resolution < 2 or samples < 2 or channels < 1 or width < 1:
            raise ValueError(
                f"triplane cannot start with resolution {resolution}, samples {samples}, channels {channels} "
                f"and width {width}; expected 2 or more of the first two and 1 or more of the others"
            )
        generator = torch.Generator().manual_seed(seed)
        planes = START * torch.randn(3, resolution, resolution, channels, generator=generator)
        weights_in = torch.randn(channels, width, generator=generator) * (2 / channels) ** 0.5
        weights_out = torch.randn(width, 4, generator=generator) / width**0.5
        return cls(planes, weights_in, weights_out, samples=samples)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Triplane:
        names = ("planes", "weights_in", "weights_out")
        scene = cls(*[state[name] for name in names], samples=int(state["samples"]))
        scene.load_state_dict(state)
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"]]:
        features = grids.triplane(self.planes, x)
        raw, logits = ((features @ self.weights_in).relu() @ self.weights_out).split([1, 3], 1)
        return field.log_sharp(raw[:, 0] + field.haze(x)), logits.sigmoid(), features

    def param_groups(self) -> list[dict[str, Any]]:
        return [
            {"name": "planes", "params": [self.planes], "lr": 0.02, "lr_final": 0.002},
            {"name": "decoder", "params": [self.weights_in, self.weights_out], "lr": 0.005, "lr_final": 5e-4},
        ]
