"""A run of several stages, watched as one: its steps are counted through, and a mark says where each begins.

Every stage has a folder of its own in the run's (`1-field`, `2-mesh` …), and may make another kind of scene.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from distill3d import files
from distill3d.runs import Run as Folder
from distill3d.scene import Scene
from distill3d.viewer.protocol import Mark
from distill3d.viewer.watching import Pulse, Standing, Watched


@dataclass(frozen=True)
class Part:
    """One stage that has begun."""

    before: int
    """Steps of all stages before it."""
    watched: Watched

    @property
    def mark(self) -> Mark:
        return Mark(self.before, self.watched.folder.name.partition("-")[2])

    def checkpoints(self) -> tuple[int, ...]:
        return tuple(self.before + step for step in self.watched.look().checkpoints)


@dataclass
class Staged(Watched):
    """The folder of a run whose stages have folders in it."""

    parts: list[Part] = field(default_factory=list)
    _seen: tuple[int, ...] = ()
    """The last step of each stage whose numbers are in `lines`."""

    @property
    def steps(self) -> int:
        """Of all stages that have begun."""
        return self.parts[-1].before + self.parts[-1].watched.steps if self.parts else 0

    def look(self) -> Standing:
        """Read what is new of every stage. Raises UserError if the folder has vanished."""
        self._find()
        checkpoints = tuple(step for part in self.parts for step in part.checkpoints())
        self._count_through()
        standing = super().look()
        return replace(standing, checkpoints=checkpoints, marks=tuple(part.mark for part in self.parts))

    def at(self, step: int) -> Path | None:
        part = next((part for part in reversed(self.parts) if part.before < step), None)
        return part.watched.at(step - part.before) if part else None

    def newest(self) -> Path | None:
        if Folder(self.folder).finished:
            return super().newest()
        found = (part.watched.newest() for part in reversed(self.parts))
        return next(filter(None, found), None)

    def open(self, path: Path) -> tuple[Scene, int | None]:
        part = next((part for part in self.parts if part.watched.folder in path.parents), None)
        if part is None:
            return super().open(path)
        scene, step = part.watched.open(path)
        done = part.watched.steps if path.name in files.SCENES else step
        return scene, None if done is None else part.before + done

    def _find(self) -> None:
        """The stages that have begun, in order; those that another run has left there are none of ours."""
        found = [path for path in self.folder.glob("[0-9]*-*") if (path / "run.json").is_file()]
        ordered = sorted(found, key=lambda path: int(path.name.partition("-")[0]))
        known = {part.watched.folder: part.watched for part in self.parts}
        self.parts, before = [], 0
        for path in ordered:
            stage = known.get(path) or Watched(path)
            if stage.options == self.options:
                self.parts.append(Part(before, stage))
                before += stage.steps

    def _count_through(self) -> None:
        """`lines`: those of all stages, one after the other."""
        seen = tuple(part.watched.lines[-1].step for part in self.parts if part.watched.lines)
        if seen == self._seen:
            return
        self._seen = seen
        self.lines = [
            replace(line, step=part.before + line.step) for part in self.parts for line in part.watched.lines
        ]

    def _metrics(self) -> Path:
        """Of the stage that was begun last, which tells whether the run goes on."""
        return self.parts[-1].watched._metrics() if self.parts else super()._metrics()

    def _read_metrics(self) -> None:
        """The stages have read theirs."""


def watch(folder: Path, pulse: Pulse | None = None) -> Watched:
    """Whoever watches a run's folder, of one stage or of several."""
    watched = Watched(folder, pulse)
    return (
        Staged(folder, pulse) if watched.options.get("recipe") and "steps" not in watched.about else watched
    )
