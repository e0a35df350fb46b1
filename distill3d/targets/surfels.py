"""Into surfels."""

from __future__ import annotations

from dataclasses import dataclass

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

    def start(self, source: Scene, *, seed: int) -> Scene:
        if isinstance(source, Surfels):
            from distill3d.conversions.pruned import pruned

            return pruned(source, count=self.count, degree=self.degree)
        if isinstance(source, Gaussians):
            from distill3d.conversions.between_primitives import to_surfels

            return to_surfels(source)
        return self.of_surfaces(source, "surfels", seed)
