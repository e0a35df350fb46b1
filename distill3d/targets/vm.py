"""Into planes and lines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, ClassVar

from distill3d.field import Field
from distill3d.representations._upsampling import COARSE
from distill3d.representations.vm import Vm
from distill3d.targets._field import NOWHERE, FieldTarget

PRESETS = {
    "quick": {
        "steps": 1200,
        "rays": 1024,
        "resolution": 96,
        "density_rank": 8,
        "colour_rank": 16,
        "width": 32,
        "colour_layers": 1,
        "samples": 128,
    },
    "standard": {
        "steps": 3000,
        "rays": 4096,
        "resolution": 160,
        "density_rank": 8,
        "colour_rank": 24,
        "width": 32,
        "colour_layers": 1,
        "samples": 192,
    },
    "published": {
        "steps": 30000,
        "rays": 4096,
        "resolution": 300,
        "density_rank": 16,
        "colour_rank": 48,
        "width": 64,
        "colour_layers": 2,
        "samples": 512,
    },
}
"""As published: PVD's planes and lines, TensoRF's, with 17.4 million parameters."""


@dataclass(frozen=True)
class ToVm(FieldTarget):
    """Sums of planes times lines, which start coarse."""

    smaller: ClassVar[str] = "--to.resolution"
    resolution: Annotated[int, "entries along each side of a plane, in the end"] = 96
    density_rank: Annotated[int, "components of density in each direction"] = 8
    colour_rank: Annotated[int, "components of colour in each direction"] = 16
    width: Annotated[int, "width of the colour network"] = 32
    colour_layers: Annotated[int, "hidden layers of the colour network"] = 1

    def fresh(self, seed: int) -> Field:
        return Vm.from_photographs(NOWHERE, seed=seed, **asdict(self))  # pyright: ignore[reportReturnType]

    def parameters(self) -> int:
        """Those of a field that starts as fine as this one ends."""
        return FieldTarget.parameters(replace(self, resolution=COARSE * self.resolution))
