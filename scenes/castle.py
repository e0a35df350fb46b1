"""Parts: a castle of the closed world as Gaussians that know which part they belong to.

Gaussian i of castle.ply belongs to the part labels[part[i]] of castle.parts.json.
"""

from __future__ import annotations

import json
from pathlib import Path

from distill3d import atomic, files
from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.representations.gaussians import Gaussians
from distill3d.world.grammar import describe
from distill3d.world.model import Model, instance
from scenes.fitting import fit

FILE, PARTS = "castle.ply", "castle.parts.json"
PROMPT = "a castle"


def make(folder: Path) -> None:
    """Twelve thousand Gaussians after 1500 steps; each belongs to the part that is nearest to its centre."""
    scene = Gaussians.start(seed=0, count=3000, limit=12_000)
    fit(scene, truth, steps=1500)
    files.save(scene, folder / FILE)
    model = _model()
    parts = {"labels": list(model.labels), "part": model.part_at(scene.means.detach()).tolist()}
    atomic.write(folder / PARTS, json.dumps(parts).encode())


def truth(cameras: Cameras) -> Rendering:
    """Exact pictures of the object."""
    return _model().render(cameras)


def _model() -> Model:
    return instance(describe(PROMPT), 0)
