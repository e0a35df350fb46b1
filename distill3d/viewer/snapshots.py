"""Snapshots: what a scene was like on the way, kept in the folder of a run that is looked at.

    snapshots/000120.safetensors     the scene after step 120

The newest is always there, so that whoever looks at the folder sees the scene as it is; of older ones those
stay that are a fortieth of the run apart, which makes the time line. They hold the scene alone, unlike
checkpoint.pt.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from distill3d import files
from distill3d.particles import first
from distill3d.runs import SNAPSHOTS
from distill3d.scene import Scene

KEPT = 40
SHARE = 0.05
"""Of the time of a run that may go into snapshots."""
SECONDS_APART = 1.0


@dataclass(frozen=True)
class Snapshots:
    """Those of one run."""

    folder: Path
    """The run's."""

    def paths(self) -> dict[int, Path]:
        """The files by their steps, in order."""
        found = (self.folder / SNAPSHOTS).glob("*.safetensors")
        return dict(sorted((int(p.stem), p) for p in found if p.stem.isdecimal()))

    def add(self, step: int, steps: int, scene: Scene) -> None:
        """Keep the scene as it is after `step` of `steps`, and forget the one before if it is not needed."""
        earlier = list(self.paths())
        (self.folder / SNAPSHOTS).mkdir(exist_ok=True)
        files.save(first(scene), self._path(step))
        apart = max(1, steps // KEPT)
        if len(earlier) > 1 and earlier[-1] // apart == earlier[-2] // apart:
            self._path(earlier[-1]).unlink(missing_ok=True)

    def cut(self, after: int) -> None:
        """Forget what lies beyond a step; a run that goes on from there comes to it again."""
        for step, path in self.paths().items():
            if step > after:
                path.unlink(missing_ok=True)

    def _path(self, step: int) -> Path:
        return self.folder / SNAPSHOTS / f"{step:06d}.safetensors"


class Pace:
    """When the next snapshot is due: seldom enough that a run hardly notices."""

    def __init__(self) -> None:
        self._next = 0.0

    def due(self) -> bool:
        return time.monotonic() >= self._next

    def took(self, seconds: float) -> None:
        """The last one took so long."""
        self._next = time.monotonic() + max(SECONDS_APART, seconds / SHARE)
