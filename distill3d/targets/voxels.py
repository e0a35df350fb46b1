"""Into a dense grid of density and harmonics."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

from distill3d.conversions.field_of import field_of
from distill3d.conversions.inherited import inherit
from distill3d.conversions.resampled import voxels_of
from distill3d.field import Field
from distill3d.representations.voxels import Voxels
from distill3d.scene import Scene
from distill3d.targets._field import FieldTarget

PRESETS = {
    "quick": {
        "steps": 600,
        "rays": 1024,
        "resolution": 96,
        "degree": 1,
        "coarser": 2,
        "samples": 128,
    },
    "standard": {
        "steps": 2000,
        "rays": 4096,
        "resolution": 128,
        "degree": 2,
        "coarser": 2,
        "samples": 192,
    },
    "published": {
        "steps": 30000,
        "rays": 4096,
        "resolution": 128,
        "degree": 2,
        "coarser": 1,
        "samples": 512,
    },
}
"""As published: PVD's grid, Plenoxels', with 58.7 million parameters."""


@dataclass(frozen=True)
class ToVoxels(FieldTarget):
    """A dense grid over the cube, looked up in the source to start with."""

    smaller: ClassVar[str] = "--to.resolution"
    resolution: Annotated[int, "grid points along each side"] = 96
    degree: Annotated[int, "of the spherical harmonics of colours"] = 1
    coarser: Annotated[int, "so many times fewer grid points for degree 1 and more"] = 2

    def start(self, source: Scene, *, seed: int) -> Field:
        teacher = field_of(source)
        self.fresh(seed)
        student = voxels_of(teacher, **asdict(self))
        student.photographed.fill_(True)
        inherit(student, teacher)
        return student

    def fresh(self, seed: int) -> Field:
        return Voxels.start(seed=seed, **asdict(self))
