"""DreamFusion: a field by score distillation. Poole et al. 2022 (arXiv 2209.14988).

1. field   a hash grid (in the paper a Mip-NeRF) by SDS at 64 px; surfaces face the camera, most rays meet
           nothing

Published settings are those of the paper where it says them, else threestudio's.
"""

from __future__ import annotations

from distill3d.objectives.sds import SDS
from distill3d.regularised import Regularise
from distill3d.representations.hash_grid import HashGrid
from distill3d.scene import Scene
from distill3d.studio import Pace, Studio


def dreamfusion(studio: Studio) -> Scene:
    """One stage."""
    weights = Regularise(orientation=1000.0, sparsity=1.0, begin=0.01) if studio.published else SURFACES
    field = studio.stage(
        "field",
        weights.of(HashGrid.start(seed=studio.seed)),
        studio.score(SDS),
        published=Pace(15000, views=4, size=64),
        quick=Pace(120, views=4, size=48),
    )
    return field


SURFACES = Regularise(orientation=0.1, sparsity=0.1, begin=0.01)
"""For the closed world, where the loss of a picture is smaller."""
