"""From the command line to a dataclass: tyro for flags and help pages, one sentence for each mistake."""

from __future__ import annotations

import dataclasses
import inspect
import io
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro

from distill3d import plugins
from distill3d.errors import UserError, unknown

Options = TypeVar("Options")
Words = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PROMPT")]
SceneWord = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SCENE")]
SceneWords = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SCENE...")]
DataWord = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[DATA]")]
Folder = Annotated[Path | None, tyro.conf.arg(metavar="DIR")]
File = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
Decided = Annotated[int, tyro.conf.Suppress]
"""What follows from other flags, and is none itself."""
POSITIONAL = ("Words", "SceneWord", "SceneWords", "DataWord")


def parse(
    options: type[Options], argv: Sequence[str], command: str, default: Options | None = None
) -> Options:
    """`options` filled from `argv`; `default` replaces the defaults. --help prints a page and exits."""
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            parsed, rest = tyro.cli(
                options,
                args=list(argv),
                prog=f"distill3d {command}",
                description=inspect.getdoc(options) or "",
                default=tyro.MISSING_NONPROP if default is None else default,
                return_unknown_args=True,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UserError(f"{_unboxed(complaint.getvalue())}; see distill3d {command} --help") from stop
    if rest:
        raise _unexpected(rest[0], options, command)
    return parsed


def _unexpected(argument: str, options: type, command: str) -> UserError:
    if argument.startswith("-"):
        return unknown("flag", argument.split("=")[0], flag_names(options), f"distill3d {command} --help")
    return UserError(f'unexpected argument "{argument}"; put words that belong together in quotes')


def flag_names(options: type, prefix: str = "--") -> list[str]:
    """Every flag that `options` makes."""
    names = []
    for field in dataclasses.fields(options):
        if str(field.type).rsplit(".", 1)[-1] in (*POSITIONAL, "Decided"):
            continue
        name = field.metadata.get("group", field.name).replace("_", "-")
        inner = field.metadata.get("options")
        names += flag_names(inner, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return names


def _unboxed(text: str) -> str:
    """The first sentence of tyro's framed complaint."""
    lines = [line.strip(" │") for line in text.splitlines()]
    body = []
    for line in lines:
        if line.startswith("╭"):
            body = []
        elif line.startswith(("─", "╰")):
            break
        else:
            body.append(line)
    return re.sub(r"^Error parsing (\S+): ", r"\1: ", " ".join(body)).rstrip(".")


def columns(flags: Sequence[plugins.Flag]) -> list[tuple[str, Any, Any]]:
    """Fields for `dataclasses.make_dataclass`, with their help."""
    return [
        (
            flag.name,
            Annotated[flag.annotation, tyro.conf.arg(help=flag.help)],
            dataclasses.field(default=flag.default),
        )
        for flag in flags
    ]


def group(flags: Sequence[plugins.Flag], name: str, kind: str, help_text: str) -> tuple[str, Any, Any]:
    """A field for `dataclasses.make_dataclass` whose flags are --NAME.*; its class knows its `kind`."""
    inner = dataclasses.make_dataclass(
        f"{name}_options", columns(flags), frozen=True, namespace={"kind": kind}
    )
    required = any(flag.default is dataclasses.MISSING for flag in flags)
    factory = dataclasses.MISSING if required else inner
    field = dataclasses.field(default_factory=factory, metadata={"group": name, "options": inner})  # type: ignore[call-overload]
    return f"{name}_options", Annotated[inner, tyro.conf.arg(name=name, help=help_text)], field


def choice(name: str, folder: str, default: str, help_text: str) -> tuple[str, Any, Any]:
    """A field --NAME whose values are the files of `folder`, each with its line of help."""
    kinds = plugins.menu(folder)
    width = max(map(len, kinds), default=0)
    lines = [help_text, *(f"  {kind:{width}}  {line}" for kind, line in kinds.items())]
    arg = tyro.conf.arg(help="\n".join(lines), metavar="NAME")
    return name, Annotated[str, arg], dataclasses.field(default=default)


def preset(presets: Mapping[str, Mapping[str, Any]], default: str, kind: str) -> tuple[str, Any, Any]:
    """A field --preset, with what each one decides for this kind of scene in its help."""
    decided = {
        name: ", ".join(f"{key} {value}" for key, value in values.items()) for name, values in presets.items()
    }
    lines = [
        "How good it should become, and how long it may take.",
        f"Decides for {kind}, where nothing is given:",
        *(f"  {name:{max(map(len, decided))}}  {line}" for name, line in decided.items()),
    ]
    kinds = Literal[tuple(presets)]  # type: ignore[valid-type]
    return (
        "preset",
        Annotated[kinds, tyro.conf.arg(help="\n".join(lines))],
        dataclasses.field(default=default),
    )


def given(argv: Sequence[str], name: str) -> str | None:
    """The last value of --NAME on the command line, before anything is parsed."""
    value = None
    for i, argument in enumerate(argv):
        if argument == f"--{name}" and i + 1 < len(argv):
            value = argv[i + 1]
        elif argument.startswith(f"--{name}="):
            value = argument.split("=", 1)[1]
    return value


def at_least(least: int, name: str, value: int) -> None:
    """Refuse a number that is too small to mean anything."""
    if value < least:
        flag = f"--{name.replace('_', '-')}"
        raise UserError(f"{flag} is {value}; expected a whole number of at least {least}")


def check_can_write(folder: Path) -> None:
    """Refuse a folder that could not be made, before any work goes into what it would hold."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() and there != folder.absolute():
        raise UserError(f"{folder} cannot be a folder, because {there} is a file; give another --out")
    if not os.access(there if there.is_dir() else there.parent, os.W_OK | os.X_OK):
        raise UserError(f"{folder} cannot be written, because {there} is read-only; give another --out")
