"""`--view` and `--control`: a run is looked at, and steered, from a browser while it trains."""

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

    def after(self, step: int, student: Scene, interrupted: Callable[[], bool]) -> bool:
        """A step was taken. Returns once the next may begin; True if a page wants the run to stop."""
        ...

    def finished(self) -> None:
        """The results are written. Returns once nobody wants to look any more."""


class Nobody:
    """Does not look."""

    def after(self, step: int, student: Scene, interrupted: Callable[[], bool]) -> bool:
        return False

    def finished(self) -> None:
        """Be done."""


class Pages:
    """Pages in browsers, served by the viewer from this process."""

    def __init__(self, run: Run, steps: int) -> None:
        from distill3d.viewer.snapshots import Pace, Snapshots

        self._snapshots, self._pace, self._steps = Snapshots(run.folder), Pace(), steps
        self._state: State = "training"
        self._sentence, self._stop = "", False
        self._shown = -1

    def pulse(self) -> tuple[State, str]:
        """How the run fares, and why."""
        return self._state, self._sentence

    def control(self, action: Action) -> None:
        """Do what a page wants; called from the server's thread."""
        if action == "stop":
            self._stop = True
        elif self._state in ("training", "paused"):
            self._state = "paused" if action == "pause" else "training"

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
def looked_at(options: Any, run: Run, done: int) -> Iterator[Onlooker]:
    """Inside, the run in its folder can be looked at as `options` say; `done` steps of it are."""
    if not options.view:
        yield Nobody()
        return

    from distill3d.viewer.server import Server
    from distill3d.viewer.snapshots import Snapshots
    from distill3d.viewer.sources import set_live_stage

    Snapshots(run.folder).cut(done)
    pages = Pages(run, options.steps)
    keeper = set_live_stage(run.folder, pages.pulse, pages.control if options.control else None)
    with Server(keeper).running() as server:
        print(f"watch it at {server.url}", flush=True)
        try:
            yield pages
        except BaseException as error:
            pages.ended(error)
            raise
