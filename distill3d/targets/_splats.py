"""What the targets made of primitives share: their count, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from distill3d.conversions.field_to_primitives import field_to_primitives
from distill3d.conversions.mesh_to_gaussians import mesh_to_primitives
from distill3d.field import Field
from distill3d.representations._primitives import Primitives
from distill3d.representations.mesh import Mesh
from distill3d.scene import Scene
from distill3d.target import Target


@dataclass(frozen=True)
class SplatTarget(Target):
    """Primitives: on the surfaces of a field, on the texels of a mesh, or made of others."""

    smaller: ClassVar[str] = "--to.count"
    count: Annotated[int, "how many there are at most"] = 6000
    degree: Annotated[int, "of the harmonics of their colours, 0 to 3"] = 2

    def bytes(self) -> int:
        """Numbers, gradients and moments of each; and of the points that are gathered to it."""
        return self.count * (16 * (11 + 3 * (self.degree + 1) ** 2) + 1000)

    def room_for(self, source: Primitives) -> bool:
        """Whether there may be as many, with harmonics of as high a degree."""
        return len(source.means) <= self.count and source.sh.shape[1] <= (self.degree + 1) ** 2

    def of_surfaces(self, source: Scene, kind: Literal["gaussians", "surfels"], seed: int) -> Primitives:
        """Primitives that lie on what a field or a mesh shows."""
        if isinstance(source, Field):
            return field_to_primitives(source, kind, count=self.count, degree=self.degree, seed=seed)
        if isinstance(source, Mesh):
            return mesh_to_primitives(source, kind, count=self.count)
        raise TypeError(f"given a {type(source).__name__}, expected a field or a mesh")
