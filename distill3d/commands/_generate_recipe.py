"""`generate --recipe NAME`: several stages, each with a folder of its own in the run's.

    runs/a-red-robot/1-field/   run.json, metrics.jsonl, checkpoint.pt, scene.safetensors and report.json
    runs/a-red-robot/           the results of the last stage

A stage that is done is read again when the run goes on, and one that was stopped goes on from its checkpoint.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from distill3d import plugins
from distill3d.commands import _device, _flags, _live, _options
from distill3d.commands._options import Grammar
from distill3d.commands._training import Command, Parts
from distill3d.errors import Stopped, UserError, given_by_user
from distill3d.recipe import PRIOR

if TYPE_CHECKING:
    from distill3d.distill import CameraSource, Teacher
    from distill3d.prior import Prior
    from distill3d.runs import Run
    from distill3d.scene import Scene
    from distill3d.studio import Pace

DECIDED = ("preset", "method", "scene", "steps", "views", "size", "particles", "regularise")
"""What flags of `generate` say and a recipe says itself."""


def menu() -> str:
    """The recipes with their lines of help."""
    kinds = plugins.menu("recipes")
    width = max(map(len, kinds), default=0)
    return "\n".join(f"  {name:{width}}  {line}" for name, line in kinds.items())


Recipe = Annotated[
    str,
    tyro.conf.arg(
        help="in several stages, as a paper does it; one of the files in recipes/:\n" + menu(), metavar="NAME"
    ),
]


@dataclass(frozen=True)
class Options:
    """Make a 3-D scene from words by a recipe of several stages.

    Each stage is a run of its own, with its own kind of scene, method and size of pictures, as the recipe's
    paper has them; what comes out of one is what the next begins with.
    """

    prompt: _flags.Words = ""
    """What to make, in quotes: "a red robot"."""
    recipe: Recipe = ""
    pace: Literal["quick", "published"] = "quick"
    """Steps, pictures and settings: for the closed world on a CPU, or the paper's, for a large prior."""


GRAMMAR = Grammar("generate", Options, {"prior": ("priors", PRIOR)})


def meant(argv: Sequence[str]) -> bool:
    """Whether a recipe is asked for, or a run of one is to go on or be repeated."""
    if _flags.given(argv, "recipe") is not None:
        return True
    again, resume = _flags.given(argv, "again"), _flags.given(argv, "resume")
    earlier = Path(again) if again is not None else resume and Path(resume) / "run.json"
    try:
        options = json.loads(Path(earlier).read_text(encoding="utf-8"))["options"] if earlier else {}
        return bool(options.get("recipe"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # generate says what is wrong with it


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    for name in DECIDED:
        if any(word.split("=")[0].split(".")[0] == f"--{name}" for word in argv):
            raise UserError(
                f"--{name} is decided by --recipe {_flags.given(argv, 'recipe') or ''}".rstrip()
                + "; leave out one of the two"
            )
    return _Recipe(GRAMMAR, _resolve, _folder_name, _build, _finish).main(argv)


def _resolve(options: Any) -> Any:
    if not options.prompt.strip():
        raise UserError(
            'no prompt was given; expected words in quotes: distill3d generate "a red robot" --recipe '
            + options.recipe
        )
    plugins.find("recipes", options.recipe, "recipe", GRAMMAR.help)
    for name in ("checkpoint_every", "picture_size"):
        _flags.at_least(1, name, getattr(options, name))
    return options


def _folder_name(options: Any) -> str:
    from distill3d.runs import slug

    return slug(options.prompt)


def _build(options: Any, checkpoint: Any) -> Any:
    """The prior, once it has understood the prompt."""
    import torch

    from distill3d.camera import turntable

    with given_by_user():
        prior = plugins.load("priors", options.prior, "prior", GRAMMAR.help)(
            **dataclasses.asdict(options.prior_options)
        )
        prior.condition(options.prompt, turntable(1, width=8, height=8), torch.ones(1, 3))
    return _Asked(prior)


@dataclass(frozen=True)
class _Asked:
    """What a recipe needs to begin, in the place of a student and its teacher."""

    prior: Prior


def _finish(options: Any, run: Run, parts: Any, seconds: float) -> None:
    """The recipe's results are written by `_Recipe`, which has them."""


@dataclass(frozen=True)
class _Recipe(Command):
    """A command whose training is that of all its stages."""

    def _train(self, options: Any, run: Run, parts: Any, checkpoint: Any) -> int:
        from distill3d.commands._results import write_results
        from distill3d.studio import Studio

        recipe = getattr(import_module(f"distill3d.recipes.{options.recipe}"), options.recipe)
        try:
            with _live.looked_at(options, run) as onlooker:
                stages = _Stages(options, run, onlooker)
                studio = Studio(
                    options.prompt, parts.prior, options.seed, options.pace == "published", stages
                )
                scene = recipe(studio)
                about = stages.said(method=options.recipe, scene=type(scene).__name__.lower())
                write_results(about, run, scene, parts.prior, stages.seconds)
                onlooker.finished()
        except Stopped:
            raise
        except KeyboardInterrupt as interrupt:
            raise self._stopped("between stages", run) from interrupt
        return 0


@dataclass
class _Stages:
    """Carries out stages, each in the next folder."""

    options: Any
    run: Run
    onlooker: _live.Onlooker
    done: int = 0
    steps: int = 0
    size: int = 0
    seconds: float = 0.0

    def __call__(
        self, name: str, student: Scene, teacher: Teacher, rig: CameraSource, pace: Pace, seed: int
    ) -> Scene:
        """See `distill3d.studio.Runner`."""
        from distill3d import files
        from distill3d.distill import Pictures
        from distill3d.wrapped import bare

        self.done, self.steps, self.size = self.done + 1, self.steps + pace.steps, pace.size
        folder = self._folder(name, files.kind_of(bare(student)), pace)
        if folder.finished:
            student.load_state_dict(files.load(folder.folder).state_dict())
            self.seconds += folder.read_json("report.json")["seconds"]
            return student
        checkpoint = folder.load_checkpoint()
        if checkpoint is not None:
            student.load_state_dict(checkpoint.state["student"])
        student.to(_device.device(self.options.device))
        print(f"stage {self.done}, {name}: {pace.steps} steps", flush=True)
        about = SimpleNamespace(**{**vars(self.options), **dataclasses.asdict(pace), "seed": seed})
        one = _Stage(GRAMMAR, _resolve, _folder_name, _build, _finish, self.run)
        parts = Parts(student, Pictures(teacher, rig, pace.views, pace.size))
        seconds = one._loop(about, folder, parts, checkpoint, self.onlooker)
        files.save(bare(student), folder.path("scene.safetensors"))
        folder.write_json("report.json", {"steps": pace.steps, "seconds": round(seconds, 2)})
        self.seconds += seconds
        return student

    def _folder(self, name: str, kind: str, pace: Pace) -> Run:
        """The stage's own; what a run with other options has left there is removed."""
        from distill3d.runs import Run

        path = self.run.path(f"{self.done}-{name}")
        command = f"stage of generate --recipe {self.options.recipe}"
        about: dict[str, Any] = {"command": command, "scene": kind, **dataclasses.asdict(pace)}
        about["options"] = _options.to_run(self.options)
        if (path / "run.json").exists() and Run(path).read_json("run.json") == json.loads(json.dumps(about)):
            return Run(path)
        folder = Run.create(path, overwrite=True)
        folder.write_json("run.json", about)
        return folder

    def said(self, **words: str) -> Any:
        """The options as the results tell them, of all stages together."""
        return SimpleNamespace(**{**vars(self.options), "steps": self.steps, "size": self.size, **words})


@dataclass(frozen=True)
class _Stage(Command):
    """One stage's training; what goes on after a stop is the whole run."""

    whole: Run

    def _stopped(self, when: str, run: Run) -> Stopped:
        return super()._stopped(f"in {run.folder.name} {when}", self.whole)
