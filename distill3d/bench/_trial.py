"""One generated scene and its measurements: what the tables of this folder are made of."""

from __future__ import annotations

import copy
import dataclasses
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache

import torch

from distill3d import plugins
from distill3d.bench._benchmark import Record, Results
from distill3d.bench._look import Look, look
from distill3d.camera import Cameras
from distill3d.distill import Collapsed, distill
from distill3d.objective import Objective
from distill3d.objectives.sds import SDS
from distill3d.priors.exact import Exact
from distill3d.recipe import SCENE, SIZE, STEPS, VIEWS
from distill3d.rendering import Rendering
from distill3d.rig import Rig
from distill3d.scene import Scene
from distill3d.teachers.score import Score
from distill3d.world.grammar import describe
from distill3d.world.metrics import WorldReport, measure
from distill3d.world.model import Model, instances


@dataclass(frozen=True)
class Trial:
    """A run of the recipe, from its seed."""

    prompt: str
    seed: int
    objective: Objective = field(default_factory=SDS)
    prior: Exact = field(default_factory=Exact)
    steps: int = STEPS
    views: int = VIEWS
    size: int = SIZE
    scene: str = SCENE
    resolution: int = 64
    """Voxels a side when the solids are compared."""

    def record(self) -> Record:
        """All that the outcome depends on, as plain values."""
        return {**dataclasses.asdict(self), "method": type(self.objective).__name__.lower()}


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: a report, or the sentence of a run that collapsed."""

    seconds: float
    """Of the distillation alone."""
    report: WorldReport | None
    collapsed: str | None = None
    look: Look | None = None

    @classmethod
    def from_record(cls, record: Record) -> Outcome:
        """The inverse of `dataclasses.asdict`."""
        report, seen = record["report"], record["look"]
        return cls(
            record["seconds"],
            report and WorldReport(**report),
            record["collapsed"],
            seen and Look(**seen),
        )


def run(trial: Trial) -> Outcome:
    """Distil the prompt into a scene and measure it against the instances that the prior knows."""
    kind = plugins.load("representations", trial.scene, "scene", "distill3d generate --help")
    student = kind.start(seed=trial.seed)
    steps = distill(
        student,
        Score(trial.prior, copy.deepcopy(trial.objective), trial.prompt),
        steps=trial.steps,
        rig=Rig().among(trial.prior.stations_at),
        views=trial.views,
        size=trial.size,
        seed=trial.seed,
    )
    begun = time.perf_counter()
    try:
        for _ in steps:
            pass
    except Collapsed as collapse:
        return Outcome(time.perf_counter() - begun, None, str(collapse))
    seconds = time.perf_counter() - begun
    return _measured(student, trial, seconds)


@torch.no_grad()
def _measured(student: Scene, trial: Trial, seconds: float) -> Outcome:
    known = _known(trial.prompt, trial.prior.instances)

    def render(cameras: Cameras) -> Rendering:
        return student.render(cameras, want=("rgb", "alpha", "depth"))

    report = measure(
        render, describe(trial.prompt), candidates=known, size=trial.size, resolution=trial.resolution
    )
    seen = look(
        render,
        known,
        instance=report.instance,
        rotation_rad=math.radians(report.rotation_deg),
        size=trial.size,
    )
    return Outcome(seconds, report, look=seen)


@lru_cache(maxsize=4)
def _known(prompt: str, count: int) -> tuple[Model, ...]:
    """The instances that a prior knows; the same ones again, so that their turntables are drawn once."""
    return tuple(instances(describe(prompt), count))


def outcomes(trials: Sequence[Trial], results: Results, *, jobs: int) -> Iterator[Outcome]:
    """The outcome of each trial, in order; those that `results` holds are not run again."""
    missing = [trial for trial in trials if results.outcome(trial.record()) is None]
    with closing(_in_processes(missing, jobs) if jobs > 1 else _in_turn(missing)) as fresh:
        for trial in trials:
            record = results.outcome(trial.record())
            if record is None:
                outcome = next(fresh)
                results.add(trial.record(), dataclasses.asdict(outcome))
                yield outcome
            else:
                yield Outcome.from_record(record)


def _in_turn(trials: Sequence[Trial]) -> Generator[Outcome, None, None]:
    for trial in trials:
        yield run(trial)


def _in_processes(trials: Sequence[Trial], jobs: int) -> Generator[Outcome, None, None]:
    """As `_in_turn`, up to `jobs` at a time; closing it waits for the running ones and drops the others."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=fresh, initializer=_one_thread) as pool:
        futures = [pool.submit(run, trial) for trial in trials]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    """Prepare a worker: one thread, and a quiet end at Ctrl-C or when the one who waits for it is gone."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
