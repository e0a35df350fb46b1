"""Lift feature maps of pictures onto the primitives of a scene."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from distill3d import plugins
from distill3d.commands import _flags
from distill3d.commands._options import Grammar
from distill3d.commands._training import Command
from distill3d.errors import UserError, given_by_user

if TYPE_CHECKING:
    from distill3d.distill import Step
    from distill3d.extractor import Extractor
    from distill3d.lift.lifting import Lifting
    from distill3d.runs import Checkpoint, Run
    from distill3d.scene import Scene

Src = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SCENE")]


@dataclass(frozen=True)
class Options:
    """Lift feature maps of pictures onto the primitives of a scene.

    SCENE is a run's folder or a file of Gaussians or surfels. What every picture shows, a vector for each
    pixel or patch, is brought to the primitives that are seen there, and the scene is written again with a
    column `features` and a column `reliability`, how far the pictures agree. distill3d view shows both, and
    finds things by the words that the features know.
    """

    source: Src = ""
    """The scene to lift to."""
    views: int = 32
    """How many pictures, where the extractor does not bring its own."""
    size: int = 128
    """Side of these pictures in pixels."""
    refine: int = 5
    """Steps of least squares after the average of all pictures; they sharpen it where parts meet."""
    damping: float = 0.3
    """What these steps leave blurred: less is sharper, and keeps more of the maps' noise."""
    steps: _flags.Decided = 0
    """One for each picture, and those of `refine`."""


WORDS_FILE = "scene.words.json"
GRAMMAR = Grammar("lift", Options, {"features": ("extractors", "parts")})


@dataclass(frozen=True)
class Lifted:
    """See `Work`."""

    lifting: Lifting

    @property
    def student(self) -> Scene:
        return self.lifting.scene

    def begin(self, run: Run) -> None:
        """The words that the features know, so that they can be asked for while features come."""
        from distill3d.lift.query import write_words

        if self.lifting.maps.words:
            write_words(run.path(WORDS_FILE), self.lifting.maps.words)

    def steps(self, options: Any, state: dict[str, Any] | None) -> Iterator[Step]:
        return self.lifting.steps(state)


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    return Command(GRAMMAR, _resolve, _folder_name, _build, _finish).main(argv)


def _folder_name(options: Any) -> str:
    from distill3d.runs import slug

    return slug(f"{Path(options.source).resolve().stem}-{options.features}")


def _resolve(options: Any) -> Any:
    """What the scene shows and how many pictures there are, where that was not given."""
    if not options.source:
        raise UserError("no scene was given; expected a file or a run's folder: distill3d lift SCENE")
    if options.device != "cpu":
        raise UserError(
            f"--device is {options.device}; features are lifted on the processor only, so leave it out"
        )
    least = {"views": 1, "size": 8, "refine": 0, "checkpoint_every": 1, "picture_size": 1}
    for name, number in least.items():
        _flags.at_least(number, name, getattr(options, name))
    if not 0 < options.damping < float("inf"):
        raise UserError(f"--damping is {options.damping:g}; expected more than 0, such as 0.1 to 1")
    source = Path(options.source).resolve()
    if not source.exists():
        raise UserError(
            f"{options.source} is not there; expected a file of Gaussians or surfels, or a run's folder"
        )
    options = dataclasses.replace(
        options, source=str(source), features_options=_from_run(options.features_options, source)
    )
    views = _extractor(options).views(options.views)
    return dataclasses.replace(options, views=views, steps=views + options.refine)


def _from_run(settings: Any, source: Path) -> Any:
    """An extractor's settings, with the prompt of the run that made a scene, and what was found there."""
    if getattr(settings, "prompt", None) != "" or not (source / "run.json").is_file():
        return settings
    from distill3d.runs import Run

    run = Run(source)
    told = run.read_json("run.json").get("options", {})
    if told.get("source"):
        return _from_run(settings, Path(told["source"]))
    found = {"prompt": told.get("prompt", "")}
    world = run.read_json("report.json").get("world") if run.finished else None
    if world and settings.instance < 0:
        found |= {"instance": world["instance"], "turned_deg": world["rotation_deg"]}
    return dataclasses.replace(settings, **found)


def _extractor(options: Any) -> Extractor:
    kind = plugins.load("extractors", options.features, "features", GRAMMAR.help)
    with given_by_user():
        return kind(**dataclasses.asdict(options.features_options))


def _build(options: Any, checkpoint: Checkpoint | None) -> Lifted:
    from distill3d import files
    from distill3d.lift.lifting import Lifting
    from distill3d.representations._primitives import Primitives

    scene: Scene = files.load(options.source)
    if not isinstance(scene, Primitives):
        raise UserError(
            f"{options.source} is a scene of the kind {files.kind_of(scene)}; features are lifted to "
            f"Gaussians and surfels, so make some first: distill3d convert {options.source} --to gaussians"
        )
    extractor = _extractor(options)
    with given_by_user():
        maps = extractor.maps(scene, views=options.views, size=options.size, seed=options.seed)
        return Lifted(Lifting(scene, maps, options.refine, options.damping))


def _finish(options: Any, run: Run, parts: Lifted, seconds: float) -> None:
    from distill3d.commands._lift_results import write_results

    write_results(options, run, parts.lifting, seconds)
