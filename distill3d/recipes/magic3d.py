"""Magic3D: a field at few pixels, then its surface at many. Lin et al. 2022 (arXiv 2211.10440).

1. field   a hash grid by SDS at 64 px
2. mesh    the surface of it, geometry and colours, by SDS at 512 px and half the noise at most

In the paper the surface is held by tetrahedra and its colours by a grid; here by a mesh whose vertices move
smoothly and have colours.
"""

from __future__ import annotations

from distill3d.objectives.sds import SDS
from distill3d.recipes._surfaces import mesh_of
from distill3d.representations.hash_grid import HashGrid
from distill3d.scene import Scene
from distill3d.studio import Pace, Studio

LITTLE_NOISE = {"t_first": (0.02, 0.5), "t_last": (0.02, 0.2)}


def magic3d(studio: Studio) -> Scene:
    """Coarse, then fine."""
    field = studio.stage(
        "field",
        HashGrid.start(seed=studio.seed),
        studio.score(SDS),
        published=Pace(5000, views=32, size=64),
        quick=Pace(120, views=4, size=48),
    )
    return studio.stage(
        "mesh",
        mesh_of(field, resolution=128 if studio.published else 48),
        studio.score(SDS, **LITTLE_NOISE),
        published=Pace(3000, views=32, size=512),
        quick=Pace(40, views=4, size=64),
    )
