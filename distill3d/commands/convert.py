"""Turn a scene of any kind into any other."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from distill3d import plugins
from distill3d.commands import _device, _flags
from distill3d.commands._options import Grammar, presets
from distill3d.commands._training import Command, Parts
from distill3d.errors import UserError, given_by_user

if TYPE_CHECKING:
    from distill3d.conversions.routes import Route
    from distill3d.rig import Rig
    from distill3d.runs import Checkpoint, Run
    from distill3d.scene import Scene
    from distill3d.target import Target

Src = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SRC", help_behavior_hint="")]


@dataclass(frozen=True)
class Options:
    """Turn a scene of any kind into any other.

    SRC is a run's folder or a file of Gaussians, of a mesh or of a field. No photographs are needed: the
    scene itself says how its copy is wrong. How that is learned depends on both kinds, and is said with its
    reason; --route forces another way. The report says how much was lost, and where.
    """

    source: Src = ""
    """The scene to convert."""
    route: Literal["auto", "volume", "render", "volume+render", "start", "extract"] = "auto"
    """How to get there: volume compares both scenes at points, render compares their pictures, volume+render
    one after the other; start does what needs no learning, extract is for meshes; auto takes the best, and
    keeps Gaussians and surfels as they are that are to become no fewer and no simpler."""
    preset: Literal["quick", "standard", "published"] = "quick"
    """How large it becomes, and how long it may take; `Grammar` adds what it decides."""
    steps: int = 0
    """How often the scene is improved; 0: as the preset says."""
    views: int = 0
    """Cameras in each step; 0: as the preset says, or four."""
    rays: int = 0
    """Rays in each step where points are compared; 0: as the preset says."""
    size: int = 0
    """Side of the pictures in pixels, of lessons and of the report; 0: 128, or as large as those that the run
    in SRC was made from, to 256: fields that know more than smaller pictures can hold are jagged in them."""
    lowest_deg: float | None = None
    """The lowest camera of lessons and report, in degrees above the horizon; by default that of the pictures
    that SRC's run was made from, or -35: a scene need not look right from where nobody has seen it."""
    highest_deg: float | None = None
    """The highest, by default that of the photographs, or 80."""
    even: bool = False
    """Draw all cameras and rays evenly, none of them because the copy was worst there."""
    resolution: int = 64
    """Voxels a side of the grid for the report's Chamfer distance and IoU; 0: leave them out."""
    data: _flags.Folder = None
    """A dataset of the same object: the report then also compares with its test pictures."""
    downscale: int = 1
    """Divide the sides of these pictures by this."""


SMALLEST, LARGEST = 128, 256
"""Sides of pictures, in pixels, where nothing is said: there is little to see in smaller ones, and larger
ones take long on a processor."""
GRAMMAR = Grammar("convert", Options, {"to": ("targets", "gaussians")}, preset="quick", preset_of="to")


@dataclass(frozen=True)
class Conversion(Parts):
    """What a conversion is made of."""

    given: Scene
    """As it was opened."""
    source: Scene
    """The same in the unit ball."""
    route: Route
    rig: Rig
    """From where both are looked at."""
    seconds: float
    """That the start took."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    return Command(GRAMMAR, _resolve, _folder_name, _build, _finish).main(argv)


def _folder_name(options: Any) -> str:
    from distill3d.runs import slug

    return slug(f"{Path(options.source).stem}-to-{options.to}")


def _resolve(options: Any) -> Any:
    """What was left open, from the preset; a scene that is not there is refused here."""
    if not options.source:
        raise UserError(
            "no scene was given; expected a file or a run's folder: distill3d convert SRC --to vm"
        )
    least = {
        "steps": 0,
        "views": 0,
        "rays": 0,
        "size": 8 if options.size else 0,
        "resolution": 0,
        "downscale": 1,
        "checkpoint_every": 1,
        "picture_size": 1,
    }
    for name, number in least.items():
        _flags.at_least(number, name, getattr(options, name))
    if options.data is not None:
        _check_photographs(options)
    preset = presets(plugins.find("targets", options.to, "kind of target", GRAMMAR.help))[options.preset]
    learns = preset["steps"] > 0 and options.route not in ("start", "extract")
    if learns and options.route == "auto" and not options.steps:
        from distill3d import files

        learns = not _target(options).keeps(files.load(options.source))
    return dataclasses.replace(
        options,
        source=str(Path(options.source).resolve()),
        data=options.data and options.data.resolve(),
        steps=(options.steps or preset["steps"]) if learns else 0,
        views=options.views or preset.get("views", 4),
        rays=options.rays or preset.get("rays", 4096),
        size=options.size or _size_of(Path(options.source)),
        **_elevations(options),
    )


def _check_photographs(options: Any) -> None:
    """Read the first of those that are looked at when all is learned; what is wrong with them is said now."""
    from distill3d.data import photographs
    from distill3d.data.dataset import open_dataset

    dataset = open_dataset(options.data)
    photographs.load(dataset, dataset.test[:1], downscale=options.downscale)


def _size_of(source: Path) -> int:
    """The side of pictures that a scene is looked at in, by those that its run was made from."""
    from distill3d.runs import read_json

    run = read_json(source / "run.json") if (source / "run.json").is_file() else {}
    return min(max(run.get("options", {}).get("size", 0), SMALLEST), LARGEST)


def _elevations(options: Any) -> dict[str, float]:
    """The lowest and the highest camera, by those that the scene's run was made from."""
    from distill3d.runs import read_json
    from distill3d.teachers.scene import AROUND

    report = Path(options.source) / "report.json"
    known = read_json(report).get("elevations_deg") if report.is_file() else None
    lowest, highest = known or (AROUND.elevation_min_deg, AROUND.elevation_max_deg)
    chosen = {
        "lowest_deg": lowest if options.lowest_deg is None else options.lowest_deg,
        "highest_deg": highest if options.highest_deg is None else options.highest_deg,
    }
    if not -90 <= chosen["lowest_deg"] <= chosen["highest_deg"] <= 90:
        raise UserError(
            "the cameras stand from {lowest_deg:g} to {highest_deg:g} degrees above the horizon; expected "
            "-90 <= --lowest-deg <= --highest-deg <= 90".format(**chosen)
        )
    return chosen


def _target(options: Any) -> Target:
    """What the scene is to become, at the size that was asked for."""
    kind = plugins.load("targets", options.to, "kind of target", GRAMMAR.help)
    return kind(**dataclasses.asdict(options.to_options))


def _build(options: Any, checkpoint: Checkpoint | None) -> Parts:
    from distill3d import conversion, files
    from distill3d.conversions.centred import centred
    from distill3d.conversions.routes import KEPT, route
    from distill3d.teachers.scene import AROUND

    begun = time.perf_counter()
    device = _device.device(options.device)
    given = files.load(options.source).to(device)
    kind = files.kind_of(given)
    target, wanted = _target(options), "" if options.route == "auto" else options.route
    kept = not wanted and not options.steps and target.keeps(given)
    way = KEPT if kept else route(kind, options.to, wanted)
    with given_by_user():
        source = centred(given)
        rig = dataclasses.replace(
            AROUND, elevation_min_deg=options.lowest_deg, elevation_max_deg=options.highest_deg
        )
        origin = conversion.Source(source, rig)
        pace = conversion.Pace(options.rays, options.views, options.size, not options.even)
        if checkpoint is None:
            print(f"{kind} to {options.to} by {way.name}: {way.reason}", flush=True)
            student = conversion.start(origin, target, options.to, seed=options.seed, pace=pace)
        else:
            of = plugins.load("representations", options.to, "kind of scene", GRAMMAR.help)
            student = of.from_state(checkpoint.state["student"]).to(device)
        lesson = conversion.lesson(origin, student, way, pace)
    return Conversion(student, lesson, given, source, way, rig, time.perf_counter() - begun)


def _finish(options: Any, run: Run, parts: Any, seconds: float) -> None:
    from distill3d.commands._convert_results import write_results

    write_results(options, run, parts, seconds)
