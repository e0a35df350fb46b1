"""What a scene is at every point of the ball, so that it can teach fields at points."""

from __future__ import annotations

from distill3d.field import Field
from distill3d.scene import Scene

RESOLUTION = 160
"""Points along each side of the grid that splats are turned into."""


def field_of(source: Scene) -> Field:
    """The scene itself if it is a field, else a field that looks like it.

    Raises TypeError for scenes that are neither fields nor splats nor meshes.
    """
    if isinstance(source, Field):
        return source
    from distill3d.representations._primitives import Primitives
    from distill3d.representations.mesh import Mesh

    if isinstance(source, Primitives):
        from distill3d.conversions._splat_field import SplatField

        return SplatField.of(source, resolution=RESOLUTION)
    if isinstance(source, Mesh):
        from distill3d.conversions._mesh_field import MeshField

        return MeshField.of(source)
    raise TypeError(f"given a {type(source).__name__}, expected a field, Gaussians, surfels or a mesh")
