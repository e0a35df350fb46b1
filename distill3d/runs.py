"""Run folders: what a run was told, what it measured on the way, and where it can go on from.

    run.json       what the command was told, resolved, and on what it ran; enough to repeat it
    metrics.jsonl  a line of numbers for every step
    checkpoint.pt  the state to go on from
    snapshots/     the scene alone as it was on the way, if the run was looked at
    scene.*, turntable.*, report.json   the results, written at the end

Every file is replaced as a whole, except metrics.jsonl, which grows, and is cut back on resume.
"""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from distill3d import atomic
from distill3d.carried import carried
from distill3d.errors import UserError

RESULTS = (
    "scene.ply",
    "scene.safetensors",
    "scene.glb",
    "scene.words.json",
    "turntable.gif",
    "turntable.png",
    "comparison.png",
    "report.json",
)
FILES = ("run.json", "metrics.jsonl", "checkpoint.pt", *RESULTS)
SNAPSHOTS = "snapshots"
CHECKPOINT = "distill3d checkpoint 1"


def slug(text: str) -> str:
    """`text` as a folder name: lower case, words joined by hyphens, at most 60 letters."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].rstrip("-") or "run"


@dataclass(frozen=True)
class Run:
    """One run's folder."""

    folder: Path

    @classmethod
    def create(cls, wanted: Path, *, overwrite: bool) -> Run:
        """A folder to write to: `wanted`, or with a number added where that is taken.

        With `overwrite` an earlier run's files in `wanted` are removed; other files are left alone.
        """
        folder, number = wanted, 1
        while not overwrite and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        for snapshot in (folder / SNAPSHOTS).glob("*.safetensors"):
            snapshot.unlink()
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> Run:
        """The folder of an earlier run."""
        if not (folder / "run.json").is_file():
            raise UserError(
                f"{folder} is not a run: it has no run.json; give the folder that a run has printed"
            )
        return cls(folder)

    def path(self, name: str) -> Path:
        return self.folder / name

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        atomic.write(self.path(name), (json.dumps(content, indent=2) + "\n").encode())

    def read_json(self, name: str) -> dict[str, Any]:
        return read_json(self.path(name))

    @property
    def finished(self) -> bool:
        """Whether the run came to its end: its report is what is written last."""
        return self.path("report.json").is_file()

    @contextmanager
    def metrics(self, after: int) -> Iterator[Metrics]:
        """Where the numbers of the steps beyond `after` go; older lines beyond it are dropped."""
        path = self.path("metrics.jsonl")
        kept = [line for line, number in _numbered(path) if number <= after]
        atomic.write(path, "".join(kept).encode())
        with path.open("a", encoding="utf-8") as file:
            yield Metrics(file)

    def save_checkpoint(self, step: int, seconds: float, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        content = {"format": CHECKPOINT, "step": step, "seconds": seconds, "state": carried(state, "cpu")}
        torch.save(content, buffer)
        atomic.write(self.path("checkpoint.pt"), buffer.getvalue())

    def load_checkpoint(self) -> Checkpoint | None:
        """Where to go on from, or None if the run had not come to its first checkpoint."""
        path = self.path("checkpoint.pt")
        if not path.exists():
            return None
        data = path.read_bytes()
        try:
            content = torch.load(io.BytesIO(data), weights_only=True) if data.startswith(b"PK") else None
        except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
            raise UserError(f"{path} is damaged; start the run again with --again run.json") from error
        if not isinstance(content, dict) or content.get("format") != CHECKPOINT:
            raise UserError(
                f"{path} is not a checkpoint of this version; start the run again with --again run.json"
            )
        return Checkpoint(content["step"], content["seconds"], content["state"])


@dataclass(frozen=True)
class Checkpoint:
    step: int
    seconds: float
    """How long the run had taken to get here, over all its parts."""
    state: dict[str, Any]


@dataclass(frozen=True)
class Metrics:
    """metrics.jsonl, open for more lines."""

    file: io.TextIOBase | Any

    def add(self, number: int, **values: float) -> None:
        self.file.write(json.dumps({"step": number, **values}) + "\n")
        self.file.flush()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; a `UserError` if it is something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON ({error}); give a file that distill3d has written") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a JSON {type(content).__name__}; expected an object")
    return content


def _numbered(path: Path) -> Iterator[tuple[str, int]]:
    """The whole lines of a metrics file with their step; a line torn by a crash ends it."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            yield line, json.loads(line)["step"]
        except (json.JSONDecodeError, KeyError):
            return
