"""Into surfels."""

from __future__ import annotations

from dataclasses import dataclass

from distill3d.conversions.between_primitives import to_surfels
from distill3d.conversions.pruned import of_degree, pruned
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.scene import Scene
from distill3d.targets._splats import SplatTarget

PRESETS = {
    "quick": {"steps": 300, "views": 4, "count": 6000, "degree": 2},
    "standard": {"steps": 2000, "views": 4, "count": 30000, "degree": 3},
    "published": {"steps": 30000, "views": 1, "count": 300000, "degree": 3},
}


@dataclass(frozen=True)
class ToSurfels(SplatTarget):
    """Discs with harmonics: on surfaces, Gaussians without their thickness, or fewer of many."""

    def keeps(self, source: Scene) -> bool:
        return isinstance(source, Surfels) and self.room_for(source)

    def start(self, source: Scene, *, seed: int) -> Scene:
        if isinstance(source, Gaussians):
            source = to_surfels(source)
        if isinstance(source, Surfels):
            return of_degree(pruned(source, count=self.count), self.degree)
        return self.of_surfaces(source, "surfels", seed)
