"""What a run of several particles leaves behind: the results of each, and what they are together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill3d.commands import _results
from distill3d.runs import Run

if TYPE_CHECKING:
    from distill3d.prior import Prior
    from distill3d.scene import Scene

FOLDER = "particle-{}"


def write_all(options: Any, run: Run, scenes: Sequence[Scene], prior: Prior, seconds: float) -> None:
    """The first scene's results in the run's folder, and those of the others in particle-2, particle-3 ...

    report.json, which is written last, then also holds all particles' reports, and how many of the prior's
    identities they are where it knows them.
    """
    others = []
    for number, scene in enumerate(scenes[1:], start=2):
        folder = Run.create(run.path(FOLDER.format(number)), overwrite=True)
        _results.write_results(options, folder, scene, prior, seconds)
        others.append(folder.read_json("report.json"))
    _results.write_results(options, run, scenes[0], prior, seconds)
    if others:
        first = run.read_json("report.json")
        run.write_json("report.json", {**first, "particles": _summary([first, *others])})


def _summary(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    worlds = [report["world"] for report in reports if "world" in report]
    identities = {"identities": len({world["instance"] for world in worlds})} if worlds else {}
    return {"count": len(reports), **identities, "worlds": worlds}
