"""The stage: all that pages look at, and when it has changed. It lives in the server's event loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from distill3d.representations.gaussians import Gaussians
from distill3d.viewer import protocol
from distill3d.viewer.meaning import Meaning
from distill3d.viewer.properties import MEANING, properties_of
from distill3d.viewer.protocol import Frustum, Layer, Problem, Run
from distill3d.viewer.showing import Showing
from distill3d.viewer.watching import Standing, Watched

ASSETS_OF_A_LAYER = 2
"""That are kept: a page may still be fetching the one before."""
MOST_PROBLEMS = 50


@dataclass
class Entry:
    """A scene on the stage."""

    name: str
    showing: Showing
    psnr: float | None = None
    ssim: float | None = None
    run: int | None = None
    step: int | None = None
    meaning: Meaning | None = None
    assets: list[str] = field(default_factory=list)
    """The newest last."""


@dataclass
class Shown:
    """A run on the stage."""

    name: str
    watched: Watched
    standing: Standing
    scrubbed: int | None = None
    """The step that is shown; None for the newest."""
    layer: int | None = None
    at: tuple[str, float] = ("", 0.0)
    """The file that is shown, and when it was written."""


class Stage:
    """Layers, runs and frusta, and a number that grows with every change."""

    def __init__(self, title: str, *, control: bool = False, again: str = "") -> None:
        """`again` is the command that opens all this again."""
        self.title, self.control, self.again = title, control, again
        self.farewell = "The viewer has been ended."
        """What pages are told when the server goes."""
        self.entries: list[Entry] = []
        self.runs: list[Shown] = []
        self.frusta: tuple[Frustum, ...] = ()
        self.compare: tuple[int, ...] = ()
        self.problems: list[Problem] = []
        self.problems_before = 0
        """How many have been dropped from the beginning of the list."""
        self.layers: tuple[Layer, ...] = ()
        self.version = 0
        self._assets: dict[str, tuple[bytes, str]] = {}
        self._news: asyncio.Event | None = None

    def add(self, entry: Entry) -> int:
        """Put a scene on the stage; returns its layer."""
        self.entries.append(entry)
        self._hand_out(entry)
        if entry.showing.warning:
            self.complain(f"{entry.name}: {entry.showing.warning}", len(self.entries) - 1)
        self._changed()
        return len(self.entries) - 1

    def exchange(
        self, layer: int, showing: Showing, step: int | None, meaning: Meaning | None = None
    ) -> None:
        """Show another state of a scene, which may be of another kind."""
        entry = self.entries[layer]
        entry.showing, entry.step, entry.meaning = showing, step, meaning
        self._hand_out(entry)
        self._changed()

    def stand(self, run: int, standing: Standing) -> None:
        """Say where a run stands, if that is news."""
        if self.runs[run].standing != standing:
            self.runs[run].standing = standing
            self.touch()

    def complain(self, sentence: str, layer: int | None = None) -> None:
        """Tell every page of something that went wrong, once."""
        problem = Problem(sentence, None, layer)
        if problem in self.problems:
            return
        self.problems.append(problem)
        if len(self.problems) > MOST_PROBLEMS:
            del self.problems[0]
            self.problems_before += 1
        self.touch()

    def touch(self) -> None:
        """Something has changed."""
        self.version += 1
        if self._news is not None:
            self._news.set()
            self._news = None

    async def news(self, version: int) -> None:
        """Return once the stage is newer than `version`."""
        while self.version == version:
            if self._news is None:
                self._news = asyncio.Event()
            await self._news.wait()

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """Bytes and their media type."""
        return self._assets.get(name)

    def keep(self, data: bytes, media_type: str) -> str:
        """Hand out bytes for good; returns the id."""
        name = secrets.token_urlsafe(16)
        self._assets[name] = (data, media_type)
        return name

    def of(self, layer: int) -> Entry:
        """A layer's scene. Raises ValueError, in a sentence, if there is no such layer."""
        if not 0 <= layer < len(self.entries):
            raise ValueError(f"layer {layer} is not there; expected 0 to {len(self.entries) - 1}")
        return self.entries[layer]

    def welcome(self, version: str) -> protocol.Welcome:
        return protocol.Welcome(
            protocol.PROTOCOL,
            version,
            self.title,
            self.control,
            self.layers,
            self.frusta,
            self.compare,
            self.again,
        )

    def run(self, number: int) -> Run:
        """Where a run stands, as a message."""
        shown, standing = self.runs[number], self.runs[number].standing
        return Run(
            number,
            shown.name,
            shown.watched.doing,
            standing.state,
            standing.step,
            standing.steps,
            standing.checkpoints,
            standing.sentence,
            standing.marks,
        )

    def _hand_out(self, entry: Entry) -> None:
        if entry.showing.data:
            kind = {"ply": "application/octet-stream", "glb": "model/gltf-binary"}[
                entry.showing.format or "ply"
            ]
            entry.assets.append(self.keep(entry.showing.data, kind))
            while len(entry.assets) > ASSETS_OF_A_LAYER:
                del self._assets[entry.assets.pop(0)]
            entry.showing = replace(entry.showing, data=b"")

    def _changed(self) -> None:
        self.layers = tuple(self._layer(i, entry) for i, entry in enumerate(self.entries))
        self.touch()

    def _layer(self, number: int, entry: Entry) -> Layer:
        showing = entry.showing
        asset = entry.assets[-1] if entry.assets else None
        return Layer(
            id=number,
            name=entry.name,
            kind=showing.kind,
            shown=showing.shown,
            asset=asset,
            format=showing.format,
            asset_bytes=len(self._assets[asset][0]) if asset else 0,
            offset=showing.offset,
            centre=showing.centre,
            radius=showing.radius,
            primitives=showing.primitives,
            parameters=showing.parameters,
            frames=True,
            channels=showing.channels,
            antialiased=isinstance(showing.scene, Gaussians) and bool(showing.scene.antialiased),
            psnr=entry.psnr,
            ssim=entry.ssim,
            properties=properties_of(showing.scene, entry.meaning),
            coloured_by=MEANING if self._lifts(entry) and entry.meaning is not None else "",
            queries=entry.meaning is not None,
            run=entry.run,
            step=entry.step,
        )

    def _lifts(self, entry: Entry) -> bool:
        """Whether a scene is of a run that gives it features, which are then what is looked at."""
        return entry.run is not None and self.runs[entry.run].watched.about.get("command") == "lift"


def names_of(paths: Sequence[str]) -> list[str]:
    """What to call each path: its last part, with as much before it as tells it from the others."""
    parts = [path.replace("\\", "/").rstrip("/").split("/") for path in paths]
    longest = max(map(len, parts), default=1)
    for length in range(1, longest + 1):
        names = ["/".join(p[-length:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{'/'.join(p)} ({i + 1})" for i, p in enumerate(parts)]
