"""Into a hash grid."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

from distill3d.field import Field
from distill3d.representations.hash_grid import HashGrid
from distill3d.targets._field import NOWHERE, FieldTarget

PRESETS = {
    "quick": {
        "steps": 2000,
        "rays": 1024,
        "levels": 10,
        "log2_entries": 15,
        "coarsest": 8,
        "finest": 128,
        "width": 32,
        "colour_layers": 1,
        "samples": 128,
    },
    "standard": {
        "steps": 3000,
        "rays": 4096,
        "levels": 12,
        "log2_entries": 17,
        "coarsest": 8,
        "finest": 256,
        "width": 32,
        "colour_layers": 1,
        "samples": 192,
    },
    "published": {
        "steps": 30000,
        "rays": 4096,
        "levels": 14,
        "log2_entries": 19,
        "coarsest": 16,
        "finest": 2048,
        "width": 64,
        "colour_layers": 2,
        "samples": 512,
    },
}
"""As published: PVD's hash grid, with 10.6 million parameters."""


@dataclass(frozen=True)
class ToHashGrid(FieldTarget):
    """A multiresolution hash grid with two small networks."""

    smaller: ClassVar[str] = "--to.log2-entries"
    levels: Annotated[int, "resolutions of the grid"] = 10
    log2_entries: Annotated[int, "base-2 logarithm of the most entries of a level"] = 15
    coarsest: Annotated[int, "entries along each side of the coarsest level"] = 8
    finest: Annotated[int, "entries along each side of the finest level"] = 128
    width: Annotated[int, "width of the networks"] = 32
    colour_layers: Annotated[int, "hidden layers of the colour network"] = 1

    def fresh(self, seed: int) -> Field:
        return HashGrid.from_photographs(NOWHERE, seed=seed, **asdict(self))  # pyright: ignore[reportReturnType]
