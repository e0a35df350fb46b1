"""How well is every kind of scene turned into every other?"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from distill3d import conversion, files, plugins
from distill3d.bench import _digest, _matrix
from distill3d.bench._benchmark import Benchmark, Record, kept_in
from distill3d.bench._labels import words
from distill3d.comparison import compare
from distill3d.conversion import Source
from distill3d.conversions.routes import FAMILIES, route
from distill3d.distill import learn
from distill3d.errors import UserError, unknown
from distill3d.fidelity import SOLID, held_out, kept
from distill3d.scene import Scene

KINDS = ("mlp", "vm", "voxels", "hash_grid", "triplane", "gaussians", "surfels", "mesh")
SHIPPED = {"hash_grid": "turtle.safetensors", "gaussians": "owl.ply", "mesh": "amphora.glb"}
"""Scenes that come with the sources."""
MADE_OF = {"mlp": "hash_grid", "vm": "hash_grid", "voxels": "hash_grid", "triplane": "hash_grid"}
MADE_OF |= {"surfels": "gaussians"}
"""What the other sources are converted from first, so that each kind is one."""
HERE = Path(__file__).parents[2] / "scenes"
QUICK = {"field": 1 / 7, "splats": 0.2, "mesh": 1.0}
"""The share of a preset's steps that is taken, by the target's family."""
PACE = ("steps", "rays", "views")
"""What a preset says of the lessons, and not of the target itself."""
CODE = ("conversion.py", "conversions", "teachers", "targets", "representations", "distill.py", "field.py")
CODE += ("fidelity.py", "comparison.py", "ops")
"""What a result depends on beside its settings."""
VIEWS = 12
LEAST_DB, MOST_SECONDS = 30.0, 90.0
"""Of fields into fields."""


@dataclass
class Convert(Benchmark):
    """PSNR of the copy to its source, in dB, and seconds: all 64 pairs of eight kinds of scene."""

    kinds: Annotated[str, "which kinds, with commas between them: hash_grid,vm"] = "all"
    scenes: Annotated[Path | None, "folder of the scenes that come with the sources"] = None
    quick: Annotated[bool, "a seventh of the steps into fields, a fifth into splats"] = False
    steps: Annotated[int, "of each conversion that learns; 0: as its preset quick says"] = 0
    size: Annotated[int, "side of the pictures in pixels"] = 128
    seed: Annotated[int, "where all randomness starts"] = 0
    out: Annotated[Path | None, "folder for convert.json, .md and .png; a later run goes on"] = None
    _sources: dict[str, Source] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.jobs != 1:
            raise ValueError(f"jobs is {self.jobs}; expected 1, because runs side by side disturb each other")
        if self.steps < 0 or self.size < 8:
            raise ValueError(
                f"steps is {self.steps} and size is {self.size}; expected at least 0 and at least 8"
            )
        for kind in self._kinds():
            if kind not in KINDS:
                raise unknown("kind of scene", kind, KINDS, "distill3d bench convert --help")
        folder = self._folder()
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder; give that of the sources' scenes with --scenes")

    def _folder(self) -> Path:
        return self.scenes or HERE

    def _kinds(self) -> Sequence[str]:
        return KINDS if self.kinds == "all" else words(self.kinds)

    def lines(self) -> Iterator[str]:
        """A row for each source as it is measured, then what the targets come to."""
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            self.results = kept_in(self.out / "convert.json", self.results)
        kinds = self._kinds()
        yield "from \\ to     " + "".join(f"{kind:>13}" for kind in kinds)
        table = dict[tuple[str, str], Record]()
        for source in kinds:
            for target in kinds:
                table[source, target] = self._measured(source, target)
            yield _matrix.row(source, [table[source, target] for target in kinds])
        yield "PSNR to the source in dB, then seconds; each row has a source of its own"
        yield from judgements(table)
        if self.out is not None:
            _matrix.write(self.out, kinds, table)
            yield f"written: {self.out}/convert.json, convert.md, convert.png"

    def _measured(self, source: str, target: str) -> Record:
        """The conversion as it was measured before, or now."""
        trial = self._trial(source, target)
        outcome = self.results.outcome(trial)
        if outcome is None:
            _, outcome = self._converted(self._source(source), source, target)
            self.results.add(trial, outcome)
        return outcome

    def _trial(self, source: str, target: str) -> Record:
        """All that the outcome depends on: settings of the target, what the source is made by, and code."""
        known: Record = {"source": source, "target": target, "seed": self.seed, "size": self.size}
        known |= {"views": VIEWS, "pace": self._pace(target), "sizes": _sizes(target)}
        known["code"] = _digest.of_code(*CODE)
        if source in SHIPPED:
            return known | {"file": _digest.of_file(self._folder() / SHIPPED[source])}
        return known | {"made_by": self._trial(MADE_OF[source], source)}

    def _pace(self, target: str) -> dict[str, Any]:
        """Steps, rays and views of a conversion into this kind."""
        preset = _preset(target)
        pace = {name: preset[name] for name in PACE if name in preset}
        if self.quick:
            pace["steps"] = round(QUICK[FAMILIES.get(target, "field")] * pace["steps"])
        return pace | ({"steps": self.steps} if self.steps and pace["steps"] else {})

    def _source(self, kind: str) -> Source:
        """A shipped scene, or one that is made of one."""
        if kind not in self._sources:
            if kind in SHIPPED:
                scene = files.load(self._folder() / SHIPPED[kind])
            else:
                scene = self._converted(self._source(MADE_OF[kind]), MADE_OF[kind], kind)[0]
            self._sources[kind] = Source(scene)
        return self._sources[kind]

    def _converted(self, source: Source, kind: str, target: str) -> tuple[Scene, Record]:
        """A conversion, and what came of it."""
        pace, way = self._pace(target), route(kind, target)
        steps = pace.pop("steps")
        made = plugins.load("targets", target, "target", "")(**_sizes(target))
        begun = time.perf_counter()
        student = conversion.start(source, made, target, seed=self.seed)
        started = time.perf_counter() - begun
        lesson = conversion.lesson(source, student, way, conversion.Pace(size=self.size, **pace))
        for _ in learn(student, lesson, steps=steps, seed=self.seed):
            pass
        seconds = time.perf_counter() - begun
        ours, theirs = (functools.partial(scene.render, want=SOLID) for scene in (student, source.scene))
        pictures = compare(ours, theirs, held_out(self.size, VIEWS))
        return student, {
            "route": way.name,
            "steps": steps,
            "seconds": seconds,
            "seconds_to_start": started,
            "parameters": sum(parameter.numel() for parameter in student.parameters()),
            **kept(pictures),
        }


def _preset(target: str) -> dict[str, Any]:
    return plugins.presets(plugins.find("targets", target, "target", ""), Path())["quick"]


def _sizes(target: str) -> dict[str, Any]:
    """What the preset says of the target itself."""
    return {name: value for name, value in _preset(target).items() if name not in PACE}


def judgements(table: dict[tuple[str, str], Record]) -> Iterator[str]:
    """What field to field conversions come to, beside what they should."""
    fields = ("mlp", "vm", "voxels", "hash_grid", "triplane")
    found = {pair: record for pair, record in table.items() if set(pair) <= set(fields)}
    if not found:
        return
    worst = min(found, key=lambda pair: found[pair]["psnr_vs_source"])
    slowest = max(found, key=lambda pair: found[pair]["seconds"])
    psnr, seconds = found[worst]["psnr_vs_source"], found[slowest]["seconds"]
    verdict = "met   " if psnr >= LEAST_DB else "MISSED"
    low = f"{psnr:.1f} dB from {' to '.join(worst)}, expected at least {LEAST_DB:g}"
    yield f"{verdict}  field to field: {low}"
    verdict = "met   " if seconds < MOST_SECONDS else "MISSED"
    slow = f"{seconds:.0f} s from {' to '.join(slowest)}, expected less than {MOST_SECONDS:g}"
    yield f"{verdict}  field to field: {slow}"
