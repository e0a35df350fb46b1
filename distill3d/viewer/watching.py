"""Watching a run's folder: what it shows now, what it has measured, and how it fares."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill3d import files, plugins
from distill3d.errors import UserError
from distill3d.runs import Run as Folder
from distill3d.scene import Scene
from distill3d.viewer.copying import Original
from distill3d.viewer.protocol import Mark, Metric, State
from distill3d.viewer.snapshots import Snapshots

QUIET_S = 60.0
"""A run that has measured nothing for so long, and is not at its end, counts as stopped."""
MOST_LINES = 4000
"""Of metrics that are kept; of a longer history every other one, and so on."""
DOING = {"generate": "Generating", "fit": "Fitting", "convert": "Converting", "lift": "Lifting"}
"""What a run does, by its command."""

Pulse = Callable[[], tuple[State, str]]
"""Says how a run fares, and why."""


@dataclass(frozen=True)
class Standing:
    """Where a run stands."""

    state: State
    step: int
    steps: int
    checkpoints: tuple[int, ...]
    sentence: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass
class Watched:
    """A run's folder that is looked at again and again."""

    folder: Path
    pulse: Pulse | None = None
    """Of a run of this process; how another one fares is told from its files."""
    original: Original | None = None
    """What a conversion has copied, if it is shown too; the copy then lies beside it."""
    lines: list[Metric] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    """What run.json says."""
    _read_to: int = 0
    _stride: int = 1

    def __post_init__(self) -> None:
        self.about = Folder.open(self.folder).read_json("run.json")
        if not isinstance(self.about.get("options"), dict):
            raise UserError(f"{self.folder}/run.json has no options; expected one that distill3d has written")

    @property
    def options(self) -> dict[str, Any]:
        return self.about["options"]

    @property
    def doing(self) -> str:
        """What the run does, in a word."""
        return DOING.get(str(self.about.get("command")), "Running")

    @property
    def scene_file(self) -> Path:
        """What words and parts stand beside, whichever state of the run they are asked of."""
        return self.folder / files.SCENES[0]

    @property
    def steps(self) -> int:
        """Of the whole run; a stage of one says so beside its options, which are those of all stages."""
        steps = self.about.get("steps", self.options.get("steps"))
        return steps if isinstance(steps, int) else 0

    def look(self) -> Standing:
        """Read what is new. Raises UserError if the folder has vanished."""
        if not self.folder.is_dir():
            raise UserError(f"{self.folder} is gone; what is shown is what was read last")
        self._read_metrics()
        state, sentence = self.pulse() if self.pulse else (self._state(), "")
        step = self.lines[-1].step if self.lines else 0
        return Standing(state, step, self.steps, tuple(Snapshots(self.folder).paths()), sentence)

    def at(self, step: int) -> Path | None:
        """The file that shows the run as it was after a step; None if that was not kept."""
        return Snapshots(self.folder).paths().get(step)

    def newest(self) -> Path | None:
        """The file that shows the run as it is; None if there is none yet."""
        snapshots = list(Snapshots(self.folder).paths().values())
        finished = [self.folder / name for name in files.SCENES] if Folder(self.folder).finished else []
        candidates = (*finished, *snapshots[-1:], self.folder / "checkpoint.pt")
        return next((path for path in candidates if path.is_file()), None)

    def open(self, path: Path) -> tuple[Scene, int | None]:
        """The scene in one of the run's files, and after which step it stood so."""
        if path.name == "checkpoint.pt":
            checkpoint = Folder(self.folder).load_checkpoint()
            if checkpoint is None:
                raise UserError(f"{path} is gone; look again")
            named = next((str(n) for n in self._named_kinds() if n), "")
            kind = plugins.load("representations", named, "kind of scene", "help")
            return kind.from_state(checkpoint.state["student"]), checkpoint.step
        scene = files.load(path)
        if path.stem.isdecimal():
            return scene, int(path.stem)
        return self.original.beside(scene) if self.original else scene, None

    def _named_kinds(self) -> tuple[Any, ...]:
        """Where run.json says of which kind the scene is: of a stage, of most runs, of a conversion."""
        return self.about.get("scene"), self.options.get("scene"), self.options.get("to")

    @property
    def source(self) -> Path | None:
        """The scene that a conversion has copied, if it is still where it was."""
        named = self.options.get("source") if self.about.get("command") == "convert" else None
        return Path(named) if isinstance(named, str) and Path(named).exists() else None

    def measured(self) -> tuple[float | None, float | None]:
        """PSNR and SSIM of the finished run, if it measured them; those of a copy are to its source."""
        if not Folder(self.folder).finished:
            return None, None
        report = Folder(self.folder).read_json("report.json")
        world = report.get("world") or {}

        def number(name: str) -> float | None:
            return _number(report.get(name, world.get(name, report.get(f"{name}_vs_source"))))

        return number("psnr"), number("ssim")

    def _state(self) -> State:
        if Folder(self.folder).finished:
            return "finished"
        metrics = self._metrics()
        written = (metrics if metrics.exists() else self.folder).stat().st_mtime
        return "running" if time.time() - written < QUIET_S else "stopped"

    def _metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    def _read_metrics(self) -> None:
        path = self._metrics()
        if not path.exists():
            return
        if path.stat().st_size < self._read_to:  # the run was resumed from an earlier step
            self.lines, self._read_to, self._stride = [], 0, 1
        with path.open("rb") as file:
            file.seek(self._read_to)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        fresh = [metric for line in whole.splitlines() if (metric := _metric(line)) is not None]
        self.lines += [metric for metric in fresh if metric.step % self._stride == 0 or metric is fresh[-1]]
        while len(self.lines) > MOST_LINES:
            self._stride *= 2
            last = self.lines[-1]
            self.lines = [m for m in self.lines if m.step % self._stride == 0 or m is last]


def _metric(line: bytes) -> Metric | None:
    """A line of metrics.jsonl; None if it is none."""
    try:
        content = json.loads(line)
        step, seconds = int(content.pop("step")), float(content.pop("seconds", 0.0))
        loss = _number(content.pop("loss", None))
        parts = {str(k): v for k, value in content.items() if (v := _number(value)) is not None}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Metric(step, seconds if math.isfinite(seconds) else 0.0, loss, parts)


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None
