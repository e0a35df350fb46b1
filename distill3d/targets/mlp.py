"""Into a network and nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

from distill3d.field import Field
from distill3d.representations.mlp import Mlp
from distill3d.targets._field import NOWHERE, FieldTarget

PRESETS = {
    "quick": {
        "steps": 2400,
        "rays": 1024,
        "frequencies": 6,
        "width": 64,
        "layers": 3,
        "again": False,
        "colour_width": 32,
        "colour_layers": 1,
        "samples": 128,
    },
    "standard": {
        "steps": 3000,
        "rays": 4096,
        "frequencies": 7,
        "width": 64,
        "layers": 4,
        "again": False,
        "colour_width": 32,
        "colour_layers": 1,
        "samples": 192,
    },
    "published": {
        "steps": 30000,
        "rays": 4096,
        "frequencies": 10,
        "width": 256,
        "layers": 7,
        "again": True,
        "colour_width": 64,
        "colour_layers": 2,
        "samples": 512,
    },
}
"""As published: PVD's network, NeRF's with small ones behind it, with 0.44 million parameters."""


@dataclass(frozen=True)
class ToMlp(FieldTarget):
    """A perceptron from coordinates to density and colour."""

    smaller: ClassVar[str] = "--to.width"
    frequencies: Annotated[int, "octaves of sines and cosines of the coordinates"] = 6
    width: Annotated[int, "width of the network"] = 64
    layers: Annotated[int, "hidden layers of the network"] = 3
    again: Annotated[bool, "a middle layer sees the coordinates again"] = False
    colour_width: Annotated[int, "width of the colour network"] = 32
    colour_layers: Annotated[int, "hidden layers of the colour network"] = 1

    def fresh(self, seed: int) -> Field:
        return Mlp.from_photographs(NOWHERE, seed=seed, **asdict(self))  # pyright: ignore[reportReturnType]
