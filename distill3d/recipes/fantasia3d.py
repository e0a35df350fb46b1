"""Fantasia3D: shape by normals from the start, then colours. Chen et al. 2023 (arXiv 2303.13873).

1. shape    a ball (in the paper an ellipsoid of tetrahedra) by SDS on its normals
2. colours  of that surface, which stays where it is, by SDS

The paper's materials are those of physically based shading under a fixed light; scenes here are unlit, and
their colours hold the shading.
"""

from __future__ import annotations

from distill3d.objectives.sds import SDS
from distill3d.recipes._surfaces import still
from distill3d.regularised import Regularise
from distill3d.representations.mesh import Mesh
from distill3d.scene import Scene
from distill3d.studio import Pace, Studio
from distill3d.unpainted import Unpainted


def fantasia3d(studio: Studio) -> Scene:
    """Geometry and appearance apart."""
    shape = Mesh.start(seed=studio.seed)
    studio.stage(
        "shape",
        Unpainted(Regularise(normal_smoothness=0.01).of(shape)),
        studio.score_of_normals(SDS),
        published=Pace(3000, views=24, size=512),
        quick=Pace(120, views=4, size=64),
    )
    return studio.stage(
        "colours",
        still(shape, subdivisions=2 if studio.published else 0),
        studio.score(SDS),
        published=Pace(2000, views=24, size=512),
        quick=Pace(60, views=4, size=64),
    )
