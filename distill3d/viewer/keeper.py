"""The keeper of the stage: watches runs, opens what they have written, and does what pages want of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from distill3d.errors import UserError
from distill3d.viewer import protocol
from distill3d.viewer.meaning import Meaning, meaning_of
from distill3d.viewer.photos import Photos
from distill3d.viewer.showing import Showing, show
from distill3d.viewer.stage import Entry, Shown, Stage
from distill3d.viewer.watching import Standing

LOOK_EVERY_S = 0.5

Control = Callable[[protocol.Action], None]
"""Holds, lets go on or ends the run of this process."""


class Keeper:
    """Looks after a stage's runs in the server's event loop; files are read in a thread of its own."""

    def __init__(self, stage: Stage, photos: Photos | None = None, control: Control | None = None) -> None:
        self.stage, self._photos, self._control = stage, photos or Photos([]), control
        self._reader = ThreadPoolExecutor(1, "viewer-read")
        self._hurry = asyncio.Event()

    async def keep(self) -> None:
        """Look at every run again and again."""
        while self.stage.runs:
            for number in range(len(self.stage.runs)):
                await self._look(number)
            self._hurry.clear()
            try:
                await asyncio.wait_for(self._hurry.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue

    def order(self, wish: protocol.Scrub | protocol.Control) -> None:
        """Carry out what a page wants of a run. Raises ValueError, in a sentence, if that cannot be."""
        stage = self.stage
        if not 0 <= wish.run < len(stage.runs):
            raise ValueError(f"run {wish.run} is not there; expected 0 to {len(stage.runs) - 1}")
        shown = stage.runs[wish.run]
        if isinstance(wish, protocol.Scrub):
            known = shown.standing.checkpoints
            if wish.step is not None and wish.step not in known:
                raise ValueError(f"step {wish.step} was not kept; the run has {len(known)} others")
            shown.scrubbed = wish.step
        elif self._control is None:
            raise ValueError("runs can only be watched here; start the run with --view --control to steer it")
        else:
            self._control(wish.action)
        self._hurry.set()

    async def photo(self, name: str) -> bytes | None:
        """A photograph's JPEG."""
        return await self._in_thread(lambda: self._photos.jpeg(name))

    async def _look(self, number: int) -> None:
        """Take in what is new of one run; what cannot be read is told, and looked at again."""
        shown = self.stage.runs[number]
        try:
            standing: Standing = await self._in_thread(shown.watched.look)
            self.stage.stand(number, standing)
            await self._show(number, shown)
        except FileNotFoundError:
            shown.at = ("", 0.0)  # replaced by a newer one in between
        except (UserError, OSError, ValueError) as error:
            self.stage.complain(str(error), shown.layer)

    async def _show(self, number: int, shown: Shown) -> None:
        """Show the state of a run that should be seen, if it is not."""
        path = _wanted(shown)
        if path is None:
            return
        at = (str(path), path.stat().st_mtime)
        if at == shown.at:
            return
        shown.at = at
        ready: tuple[Showing, int | None, Meaning | None]
        ready = await self._in_thread(lambda: _ready(shown, path))
        showing, step, meaning = ready
        psnr, ssim = shown.watched.measured() if step is None else (None, None)
        if shown.layer is None:
            shown.layer = self.stage.add(Entry(shown.name, showing, psnr, ssim, number, step, meaning))
        else:
            entry = self.stage.entries[shown.layer]
            entry.psnr, entry.ssim = psnr, ssim
            self.stage.exchange(shown.layer, showing, step, meaning)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._reader, work)


def _wanted(shown: Shown) -> Path | None:
    """The file of the state that should be seen; None if there is none."""
    if shown.scrubbed is None:
        return shown.watched.newest()
    return shown.watched.at(shown.scrubbed)


def _ready(shown: Shown, path: Path) -> tuple[Showing, int | None, Meaning | None]:
    scene, step = shown.watched.open(path)
    return show(scene), step, meaning_of(scene, shown.watched.scene_file)
