"""Into Gaussians."""

from __future__ import annotations

from dataclasses import dataclass

from distill3d.conversions.between_primitives import to_gaussians
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
class ToGaussians(SplatTarget):
    """Gaussians with harmonics: flat ones on surfaces, surfels with a thickness, or fewer of many.

    Those on surfaces are drawn antialiased: what others gain by the blur of a pixel they lose where they are
    seen from nearer, and the object shrinks (Yu et al. 2024, Mip-Splatting, arXiv 2311.16493, figure 1).
    """

    def keeps(self, source: Scene) -> bool:
        return isinstance(source, Gaussians) and self.room_for(source)

    def start(self, source: Scene, *, seed: int) -> Scene:
        if isinstance(source, Surfels):
            source = to_gaussians(source)
        if isinstance(source, Gaussians):
            return of_degree(pruned(source, count=self.count), self.degree)
        made = self.of_surfaces(source, "gaussians", seed)
        made.antialiased.fill_(True)
        return made
