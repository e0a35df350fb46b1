"""What `distill3d generate` can be told: on the command line, and by the run.json of an earlier run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill3d import plugins
from distill3d.commands import _flags
from distill3d.errors import UserError
from distill3d.recipe import METHOD, PRIOR, SCENE, SIZE, STEPS, VIEWS

HELP = "distill3d generate --help"
KINDS = {
    "method": ("objectives", METHOD),
    "scene": ("representations", SCENE),
    "prior": ("priors", PRIOR),
}
NOT_STORED = ("out", "resume", "again", "overwrite")


@dataclass(frozen=True)
class Options:
    """Make a 3-D scene from words.

    A student scene is rendered from random cameras; a prior that knows pictures says, through a distillation
    method, how they should change. `distill3d world` lists the words that the default prior knows.
    """

    prompt: _flags.Words = ""
    """What to make, in quotes: "a red robot"."""
    steps: int = STEPS
    """How often the scene is rendered and improved."""
    views: int = VIEWS
    """Pictures for each step."""
    size: int = SIZE
    """Side of these pictures in pixels; a run begins with smaller ones."""
    seed: int = 0
    """Where all randomness starts: the same seed gives the same scene."""
    out: _flags.Folder = None
    """Folder for the results, by default runs/ and the prompt; one that is in use gets a number added."""
    overwrite: bool = False
    """Replace an earlier run in the folder instead."""
    resume: _flags.Folder = None
    """Go on with the run in this folder; takes no other flags."""
    again: _flags.File = None
    """Repeat the run described by this run.json; other flags change it."""
    checkpoint_every: int = 100
    """Steps between the states that --resume can go on from."""
    picture_size: int = 192
    """Side of the pictures of the result in pixels."""


def from_command_line(argv: Sequence[str]) -> Options:
    """The options in `argv`, on top of those of --again; a `UserError` if they mean nothing."""
    again = _flags.given(argv, "again")
    if again is None:
        options = _flags.parse(_class({}, argv), argv, "generate")
    else:
        stored = _stored(Path(again))
        known = _class(stored, argv)
        options = _flags.parse(known, argv, "generate", _restored(known, stored, again))
    if not options.prompt.strip():
        raise UserError('no prompt was given; expected words in quotes: distill3d generate "a red robot"')
    for name in ("steps", "views", "size", "checkpoint_every", "picture_size"):
        _flags.at_least(1, name, getattr(options, name))
    return options


def from_run(path: Path) -> Options:
    """The options that a run.json holds."""
    stored = _stored(path)
    return _restored(_class(stored, []), stored, str(path))


def to_run(options: Options) -> dict[str, Any]:
    """What a run.json holds of the options: all that the result depends on."""
    return {k: v for k, v in dataclasses.asdict(options).items() if k not in NOT_STORED}


def _class(stored: dict[str, Any], argv: Sequence[str]) -> type[Options]:
    """`Options` with the flags of the chosen method, scene and prior, none of which is imported for it."""
    columns = []
    for name, (folder, default) in KINDS.items():
        kind = _flags.given(argv, name) or stored.get(name, default)
        path = plugins.find(folder, kind, name, HELP)
        flags = plugins.keywords(path, "start") if name == "scene" else plugins.fields(path)
        columns.append(_flags.choice(name, folder, default, f"one of the files in {folder}/:"))
        columns.append(_flags.group(flags, name, kind, f"of --{name} {kind}"))
    rig = plugins.fields(plugins.PACKAGE / "rig.py", "Rig")
    columns.append(_flags.group(rig, "rig", "rig", "how the cameras are drawn"))
    return dataclasses.make_dataclass(
        "GenerateOptions", columns, bases=(Options,), frozen=True, namespace={"__doc__": Options.__doc__}
    )


def _stored(path: Path) -> dict[str, Any]:
    from distill3d.runs import read_json

    options = read_json(path).get("options")
    if not isinstance(options, dict) or not all(isinstance(options.get(name), str) for name in KINDS):
        raise UserError(f"{path} holds no options; expected the run.json of a distill3d generate")
    return options


def _restored(known: type[Options], stored: dict[str, Any], path: str) -> Options:
    """Options from JSON. Those of a method, scene or prior that is no longer chosen are left out."""
    defaults, values = known(), {}
    for name, value in stored.items():
        if not hasattr(defaults, name):
            raise UserError(f"{path}: unknown option {name}; another version wrote it")
        current = getattr(defaults, name)
        kind = getattr(current, "kind", None)
        if not dataclasses.is_dataclass(current):
            values[name] = getattr(defaults, f"{name}_options").kind if name in KINDS else value
        elif kind == stored.get(name.removesuffix("_options"), kind):
            values[name] = _restored_group(current, value, f"{path}: {name}")
    return dataclasses.replace(defaults, **values)


def _restored_group(defaults: Any, stored: Any, where: str) -> Any:
    names = {field.name for field in dataclasses.fields(defaults)}
    if not isinstance(stored, dict) or set(stored) != names:
        raise UserError(f"{where} should hold {', '.join(sorted(names))}; another version wrote it")
    return type(defaults)(**{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()})
