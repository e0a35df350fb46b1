"""A field: a turtle of the closed world in a hash grid, fitted to pictures of it."""

from __future__ import annotations

from pathlib import Path

from distill3d import files
from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.representations.hash_grid import HashGrid
from distill3d.scene import Seen
from distill3d.world.grammar import describe
from distill3d.world.model import instance
from scenes.fitting import CAMERAS, fit

FILE = "turtle.safetensors"
PROMPT = "a turtle"


def make(folder: Path) -> None:
    """Eight levels of at most 2^14 entries after 2500 steps of 4096 rays."""
    scene = HashGrid.from_photographs(
        Seen(CAMERAS), seed=0, levels=8, log2_entries=14, finest=128, directional=False, samples=96
    )
    fit(scene, truth, steps=2500, views=4, stride=4)
    files.save(scene, folder / FILE)


def truth(cameras: Cameras) -> Rendering:
    """Exact pictures of the object."""
    return instance(describe(PROMPT), 0).render(cameras)
