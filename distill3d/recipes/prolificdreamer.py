"""ProlificDreamer: a field, its shape by normals, and its colours. Wang et al. 2023 (arXiv 2305.16213).

1. field   a hash grid by VSD
2. shape   the surface of it by SDS on its normals
3. colours of that surface, which stays where it is, by VSD

Steps of the published settings are the authors' program's, whose field begins at 64 px and comes to 512 after
a fifth of its steps; here pictures grow from a quarter of the size (see `distill.resolution`).
"""

from __future__ import annotations

from distill3d.objectives.sds import SDS
from distill3d.objectives.vsd import VSD
from distill3d.recipes._surfaces import mesh_of, still
from distill3d.regularised import Regularise
from distill3d.representations.hash_grid import HashGrid
from distill3d.scene import Scene
from distill3d.studio import Pace, Studio
from distill3d.unpainted import Unpainted


def prolificdreamer(studio: Studio) -> Scene:
    """Three stages; where the prior is no network, the model of the scene's pictures is a small one."""
    sparse = Regularise(sparsity=10.0) if studio.published else Regularise()
    field = studio.stage(
        "field",
        sparse.of(HashGrid.start(seed=studio.seed)),
        studio.score(VSD, fake=studio.fake),
        published=Pace(25000, views=1, size=512),
        quick=Pace(120, views=4, size=48),
    )
    shape = mesh_of(field, resolution=256 if studio.published else 48)
    studio.stage(
        "shape",
        Unpainted(shape),
        studio.score_of_normals(SDS),
        published=Pace(15000, views=1, size=512),
        quick=Pace(40, views=4, size=64),
    )
    return studio.stage(
        "colours",
        still(shape, subdivisions=2 if studio.published else 0),
        studio.score(VSD, fake=studio.fake),
        published=Pace(30000, views=1, size=512),
        quick=Pace(40, views=4, size=64),
    )
