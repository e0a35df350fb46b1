"""How much of a scene of Gaussians can go: quality over size, before and after it is taught again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch

from distill3d import files
from distill3d.bench._benchmark import Benchmark, Record
from distill3d.camera import Cameras
from distill3d.comparison import Renderer, compare
from distill3d.conversions.pruned import of_degree, pruned
from distill3d.distill import Pictures, learn
from distill3d.errors import UserError
from distill3d.formats import ply_gaussians, spz
from distill3d.representations.gaussians import Gaussians
from distill3d.sh import degree_of
from distill3d.teachers.scene import SceneTeacher

COLUMNS = (
    f"{'kept':>6} {'splats':>8} {'degree':>7} {'ply kB':>8} {'spz kB':>8} {'cut dB':>8} {'taught dB':>10}"
)
VIEWS = 12
"""Held-out cameras."""


@dataclass
class Compress(Benchmark):
    """PSNR to the scene as it was, from cameras that no lesson has used, over the share of splats kept."""

    source: Annotated[str, "a file with Gaussians"] = "scenes/castle.ply"
    shares: Annotated[str, "which shares to keep, with commas between them"] = "1,0.5,0.34,0.2,0.1,0.05"
    degree: Annotated[int, "the most that harmonics may have; 3 leaves them"] = 3
    steps: Annotated[int, "of lessons after each cut"] = 300
    size: Annotated[int, "side of the pictures in pixels"] = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs != 1:
            raise ValueError(f"jobs is {self.jobs}; expected 1, because all threads draw one picture")
        if self.steps < 1 or self.size < 16 or not 0 <= self.degree <= 3:
            raise ValueError(
                f"steps is {self.steps}, size is {self.size} and degree is {self.degree}; expected at least "
                "1, at least 16 and 0 to 3"
            )
        self._shares()

    def _shares(self) -> list[float]:
        try:
            shares = [float(word) for word in self.shares.split(",")]
        except ValueError as error:
            raise ValueError(f"shares is {self.shares}; expected numbers with commas between them") from error
        if not all(0 < share <= 1 for share in shares):
            raise ValueError(f"shares is {self.shares}; expected each over 0 and at most 1")
        return shares

    def lines(self) -> Iterator[str]:
        """A row for each share as it is measured."""
        scene = files.load(Path(self.source))
        if not isinstance(scene, Gaussians):
            raise UserError(f"{self.source} holds {files.kind_of(scene)}; expected gaussians")
        yield f"{self.source}: {len(scene.means)} Gaussians of degree {degree_of(scene.sh.shape[1])}"
        yield COLUMNS
        for share in self._shares():
            yield row(share, self._measured(scene, share))
        yield f"cut: by global significance; taught: {self.steps} steps more by the scene's own pictures"

    def _measured(self, scene: Gaussians, share: float) -> Record:
        """The share as it was measured before, or now."""
        trial = {
            "source": self.source,
            "share": share,
            "degree": self.degree,
            "steps": self.steps,
            "size": self.size,
        }
        record = self.results.outcome(trial)
        if record is None:
            record = measure(scene, share, degree=self.degree, steps=self.steps, size=self.size)
            self.results.add(trial, record)
        return record


def measure(scene: Gaussians, share: float, *, degree: int, steps: int, size: int) -> Record:
    """What is left of a scene that is cut to a share, and what after lessons by the scene itself."""
    count = max(1, round(share * len(scene.means)))
    student = of_degree(pruned(scene, count=count), min(degree, degree_of(scene.sh.shape[1])))
    student.photographed.fill_(True)
    teacher = SceneTeacher(scene)
    cameras = teacher.held_out(VIEWS, size_px=size)
    cut, begun = _psnr(student, scene, cameras), time.perf_counter()
    for _ in learn(student, Pictures(teacher, teacher, 2, size), steps=steps):
        pass
    seconds, state = time.perf_counter() - begun, student.state_dict()
    return {
        "count": len(student.means),
        "degree": degree_of(student.sh.shape[1]),
        "bytes": {"ply": len(ply_gaussians.write(state)), "spz": len(spz.write(state))},
        "psnr_cut": cut,
        "psnr_taught": _psnr(student, scene, cameras),
        "seconds": seconds,
    }


def row(share: float, record: Record) -> str:
    """A share in a line of the table."""
    return (
        f"{share:6.2f} {record['count']:8d} {record['degree']:7d} {record['bytes']['ply'] / 1e3:8.0f} "
        f"{record['bytes']['spz'] / 1e3:8.0f} {record['psnr_cut']:8.2f} {record['psnr_taught']:10.2f}"
    )


@torch.no_grad()
def _psnr(student: Gaussians, scene: Gaussians, cameras: Cameras) -> float:
    def renderer(some: Gaussians) -> Renderer:
        return lambda at: some.render(at, want=("rgb", "alpha", "depth"))

    return float(compare(renderer(student), renderer(scene), cameras).scores.psnr.mean())
