"""Into three planes of features."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, ClassVar

from distill3d.field import Field
from distill3d.representations._upsampling import COARSE
from distill3d.representations.triplane import Triplane
from distill3d.targets._field import NOWHERE, FieldTarget

PRESETS = {
    "quick": {
        "steps": 1200,
        "rays": 1024,
        "resolution": 96,
        "channels": 16,
        "width": 32,
        "samples": 128,
    },
    "standard": {
        "steps": 3000,
        "rays": 4096,
        "resolution": 192,
        "channels": 24,
        "width": 32,
        "samples": 192,
    },
    "published": {
        "steps": 30000,
        "rays": 4096,
        "resolution": 256,
        "channels": 32,
        "width": 64,
        "samples": 512,
    },
}
"""As published: the planes of EG3D, 256² with 32 channels."""


@dataclass(frozen=True)
class ToTriplane(FieldTarget):
    """Features on three planes, which start coarse, and a small decoder."""

    smaller: ClassVar[str] = "--to.resolution"
    resolution: Annotated[int, "entries along each side of a plane, in the end"] = 96
    channels: Annotated[int, "features of each entry"] = 16
    width: Annotated[int, "width of the networks"] = 32
    colour_layers: Annotated[int, "hidden layers of the colour network"] = 1

    def fresh(self, seed: int) -> Field:
        return Triplane.from_photographs(NOWHERE, seed=seed, **asdict(self))  # pyright: ignore[reportReturnType]

    def parameters(self) -> int:
        """Those of a field that starts as fine as this one ends."""
        return FieldTarget.parameters(replace(self, resolution=COARSE * self.resolution))
