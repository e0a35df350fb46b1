"""Benchmark: the contract of a measured claim. Its kinds are this folder's files without underscore."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from distill3d import atomic
from distill3d.errors import UserError

Record = dict[str, Any]


@dataclass
class Results:
    """What was measured, a JSON record {"trial": …, "outcome": …} for every run.

    keep: called with all records whenever one is added. Records of an earlier, interrupted benchmark can be
    given; what they hold is not measured again.
    """

    records: list[Record] = field(default_factory=list)
    keep: Callable[[list[Record]], None] = lambda records: None

    def outcome(self, trial: Record) -> Record | None:
        """The outcome of `trial`, if it has been measured."""
        wanted = _plain(trial)
        return next((r["outcome"] for r in self.records if r["trial"] == wanted), None)

    def add(self, trial: Record, outcome: Record) -> None:
        """Note what came of `trial`."""
        self.records.append({"trial": _plain(trial), "outcome": _plain(outcome)})
        self.keep(self.records)


@dataclass
class Benchmark:
    """A table that is measured. Its fields are its flags."""

    jobs: Annotated[int, "runs side by side, with one thread each; a single one uses all threads"] = 1
    results: Results = field(default_factory=Results)

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError(f"jobs is {self.jobs}; expected a whole number of at least 1")

    def lines(self) -> Iterator[str]:
        """The table, line by line as it is measured; `results` fills on the way."""
        raise TypeError(f"{type(self).__name__} measures nothing")


def kept_in(path: Path, results: Results) -> Results:
    """`results` with those of an earlier run in the file, which is written anew whenever one is added.

    The file is called after its benchmark: modes.json.
    """
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else []
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} holds no results; expected a file that distill3d bench {path.stem} has written"
        ) from error

    def keep(records: list[Record]) -> None:
        results.keep(records)
        content = {"benchmark": path.stem, "results": records}
        atomic.write(path, (json.dumps(content) + "\n").encode())

    return Results([*results.records, *earlier], keep)


def _plain(record: Record) -> Record:
    """`record` as JSON gives it back, so that tuples and lists compare equal."""
    return json.loads(json.dumps(record))
