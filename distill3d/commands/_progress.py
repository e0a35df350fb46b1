"""Progress of a long loop: a bar with loss, speed and time left on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 10  # how many plain lines a run prints


class Show(Protocol):
    """Told after every step."""

    def __call__(self, number: int, loss: float, seconds: float) -> None: ...


@contextmanager
def progress(what: str, total: int, done: int) -> Iterator[Show]:
    """Show steps `done` + 1 to `total` of `what`, on standard error; `seconds` since the first of them."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda number, loss, seconds: _line(total, done, number, loss, seconds)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(None),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4g}  {task.fields[speed]:.1f} steps/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=total, completed=done, loss=float("nan"), speed=0.0)
        yield lambda number, loss, seconds: bar.update(
            task, completed=number, loss=loss, speed=(number - done) / max(seconds, 1e-9)
        )


@contextmanager
def reading(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal for files that are read one by one, told how many of how many; gone afterwards."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"reading {what}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _line(total: int, done: int, number: int, loss: float, seconds: float) -> None:
    if number * LINES // total == (number - 1) * LINES // total and number != done + 1:
        return
    speed = (number - done) / max(seconds, 1e-9)
    left = (total - number) / speed
    print(
        f"step {number}/{total}  loss {loss:.4g}  {speed:.1f} steps/s  {left:.0f} s left",
        file=sys.stderr,
        flush=True,
    )
