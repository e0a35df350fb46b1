"""DreamGaussian: Gaussians in few steps, then colours by denoising. Tang et al. 2023 (arXiv 2309.16653).

1. gaussians  by SDS, the noise falling linearly
2. colours    of the mesh of them: its pictures are noised, denoised in several steps, and are then what the
              colours learn (see teachers/denoised.py)

In the paper colours are a texture; here they are at the vertices.
"""

from __future__ import annotations

from distill3d.objectives.sds import SDS
from distill3d.recipes._surfaces import mesh_of, still
from distill3d.representations.gaussians import Gaussians
from distill3d.scene import Scene
from distill3d.studio import Pace, Studio
from distill3d.teachers.denoised import Denoised

FALLING = {"t_first": (0.98, 0.98), "t_last": (0.02, 0.02)}


def dreamgaussian(studio: Studio) -> Scene:
    """Generative Gaussian splatting, then refinement."""
    gaussians = studio.stage(
        "gaussians",
        Gaussians.start(
            seed=studio.seed,
            count=5000 if studio.published else 1000,
            limit=100000 if studio.published else 6000,
            radius=0.5,
        ),
        studio.score(SDS, **FALLING) if studio.published else studio.score(SDS),
        published=Pace(500, views=1, size=512),
        quick=Pace(120, views=4, size=64),
    )
    surface = mesh_of(gaussians, resolution=128 if studio.published else 48)
    return studio.stage(
        "colours",
        still(surface, subdivisions=2 if studio.published else 0),
        Denoised(studio.prior, studio.prompt),
        published=Pace(50, views=1, size=512),
        quick=Pace(30, views=4, size=64),
    )
