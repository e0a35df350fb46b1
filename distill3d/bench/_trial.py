"""One generated scene and its measurements: what the tables of this folder are made of."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from distill3d.distill import distill
from distill3d.objective import Objective
from distill3d.priors.exact import Exact
from distill3d.rig import Rig
from distill3d.scene import Scene
from distill3d.teachers.score import Score
from distill3d.world.grammar import describe
from distill3d.world.metrics import WorldReport, measure
from distill3d.world.model import instances


@dataclass(frozen=True)
class Trial:
    """A run from a seed to its report."""

    prompt: str
    method: str
    seed: int
    seconds: float
    """Of the distillation alone."""
    report: WorldReport


def generate(
    prompt: str,
    student: Scene,
    objective: Objective,
    prior: Exact,
    *,
    steps: int,
    views: int,
    size: int,
    seed: int,
) -> Trial:
    """Distil `prompt` into `student` and measure it against the instances that the prior knows."""
    description = describe(prompt)
    begun = time.perf_counter()
    teacher = Score(prior, objective, prompt)
    for _ in distill(student, teacher, steps=steps, rig=Rig().among(prior.stations_at), views=views, size=size, seed=seed):
        pass
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        report = measure(
            lambda cameras: student.render(cameras, want=("rgb", "alpha", "depth")),
            description,
            candidates=instances(description, prior.instances),
            size=size,
        )
    return Trial(prompt, type(objective).__name__.lower(), seed, seconds, report)
