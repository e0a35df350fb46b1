"""Gaussians: an owl of the closed world, fitted to pictures of it."""

from __future__ import annotations

from pathlib import Path

from distill3d import files
from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.representations.gaussians import Gaussians
from distill3d.world.grammar import describe
from distill3d.world.model import instance
from scenes.fitting import fit

FILE = "owl.ply"
PROMPT = "an owl"


def make(folder: Path) -> None:
    """Six thousand Gaussians after 1200 steps."""
    scene = Gaussians.start(seed=0, count=2000, limit=6000)
    fit(scene, truth, steps=1200)
    files.save(scene, folder / FILE)


def truth(cameras: Cameras) -> Rendering:
    """Exact pictures of the object."""
    return instance(describe(PROMPT), 0).render(cameras)
