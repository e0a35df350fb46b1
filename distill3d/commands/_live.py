"""`--view` and `--control`: a run is looked at, and steered, from a browser while it is under way."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from distill3d.errors import Stopped

if TYPE_CHECKING:
    from distill3d.runs import Run
    from distill3d.scene import Scene
    from distill3d.viewer.protocol import Action, State

FAREWELL_S = 0.5
"""How long pages have to hear how a run has ended before its server goes."""
LOOK_EVERY_S = 0.1


@runtime_checkable
class Onlooker(Protocol):
    """Told how a run goes."""

    def begin(self, run: Run, steps: int, done: int) -> None:
        """A run, or a stage of one with a folder of its own, goes on to `steps` after the first `done`."""
        ...

    def after(self, step: int, student: Scene, interrupted: Callable[[], bool]) -> bool:
        """A step was taken. Returns once the next may begin; True if a page wants the run to stop."""
        ...

    def finished(self) -> None:
        """The results are written. Returns once nobody wants to look any more."""


class Nobody:
    """Does not look."""

    def begin(self, run: Run, steps: int, done: int) -> None:
        """Look away."""

    def after(self, step: int, student: Scene, interrupted: Callable[[], bool]) -> bool:
        return False

    def finished(self) -> None:
        """Be done."""


class Pages:
    """Pages in browsers, served by the viewer from this process."""

    def __init__(self) -> None:
        self._state: State = "running"
        self._sentence, self._stop = "", False

    def begin(self, run: Run, steps: int, done: int) -> None:
        """Keep snapshots in this folder; those of steps that will be taken again are forgotten."""
        from distill3d.viewer.snapshots import Pace, Snapshots

        self._snapshots, self._pace, self._steps, self._shown = Snapshots(run.folder), Pace(), steps, -1
        self._snapshots.cut(done)

    def pulse(self) -> tuple[State, str]:
        """How the run fares, and why."""
        return self._state, self._sentence

    def control(self, action: Action) -> None:
        """Do what a page wants; called from the server's thread."""
        if action == "stop":
            self._stop = True
        elif self._state in ("running", "paused"):
            self._state = "paused" if action == "pause" else "running"

    def after(self, step: int, student: Scene, interrupted: Callable[[], bool]) -> bool:
        """Keep a snapshot where one is due, and wait while the run is held."""
        if self._pace.due() or step == self._steps:
            self._keep(step, student)
        while self._state == "paused" and not self._stop and not interrupted():
            self._keep(step, student)
            time.sleep(LOOK_EVERY_S)
        return self._stop

    def finished(self) -> None:
        """Serve until Ctrl-C."""
        self._state = "finished"
        print("the viewer stays open; Ctrl-C ends it", file=sys.stderr, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return

    def ended(self, error: BaseException) -> None:
        """Tell pages why the run has come to an early end."""
        self._state = "stopped" if isinstance(error, Stopped | KeyboardInterrupt) else "failed"
        self._sentence = str(error)
        time.sleep(FAREWELL_S)

    def _keep(self, step: int, student: Scene) -> None:
        if step == self._shown:
            return
        begun = time.perf_counter()
        self._snapshots.add(step, self._steps, student)
        self._pace.took(time.perf_counter() - begun)
        self._shown = step


@contextmanager
def looked_at(options: Any, run: Run) -> Iterator[Onlooker]:
    """Inside, the run in its folder can be looked at as `options` say."""
    if not options.view:
        yield Nobody()
        return

    from distill3d.viewer.server import Server
    from distill3d.viewer.sources import set_live_stage

    pages = Pages()
    keeper = set_live_stage(run.folder, pages.pulse, pages.control if options.control else None)
    with Server(keeper).running() as server:
        print(f"watch it at {server.url}", flush=True)
        try:
            yield pages
        except BaseException as error:
            pages.ended(error)
            raise
