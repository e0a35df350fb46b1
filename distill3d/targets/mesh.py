"""Into a mesh."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

from distill3d.conversions.mesh_to_mesh import mesh_to_mesh
from distill3d.conversions.scene_to_textured_mesh import scene_to_textured_mesh
from distill3d.representations.mesh import Mesh
from distill3d.scene import Scene
from distill3d.target import Target

PRESETS = {
    "quick": {"steps": 0, "triangles": 8000, "texture_px": 512, "resolution": 96},
    "standard": {"steps": 0, "triangles": 20000, "texture_px": 1024, "resolution": 128},
    "published": {"steps": 0, "triangles": 200000, "texture_px": 4096, "resolution": 384},
}


@dataclass(frozen=True)
class ToMesh(Target):
    """Triangles in a texture, around what a scene shows."""

    smaller: ClassVar[str] = "--to.resolution or --to.texture-px"
    triangles: Annotated[int, "about how many"] = 20000
    texture_px: Annotated[int, "side of the texture in pixels"] = 1024
    resolution: Annotated[int, "voxels along each side of the volume that the surface is taken from"] = 128

    def bytes(self) -> int:
        """The volume, its pictures and the texture, with what is known of every voxel and texel."""
        return 150 * self.resolution**3 + 400 * self.texture_px**2 + 1000 * self.triangles

    def start(self, source: Scene, *, seed: int) -> Scene:
        if isinstance(source, Mesh):
            return mesh_to_mesh(source, triangles=self.triangles, texture_px=self.texture_px)
        return scene_to_textured_mesh(source, **asdict(self))
