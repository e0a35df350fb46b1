"""What a command that trains can be told: on the command line, and by the run.json of an earlier run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from distill3d import plugins
from distill3d.commands import _flags
from distill3d.errors import UserError

NOT_STORED = ("out", "resume", "again", "overwrite", "view", "control")


@dataclass(frozen=True)
class Shared:
    """Flags of every command that trains."""

    seed: int = 0
    """Where all randomness starts: the same seed gives the same scene."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to compute: on the processor, or on a GPU."""
    out: _flags.Folder = None
    """Folder for the results, by default a new one in runs/; one that is in use gets a number added."""
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
    view: bool = False
    """Show the scene in a browser while it trains, and keep snapshots for its time line."""
    control: bool = False
    """With --view: let the page hold the run, let it go on, and stop it."""


@dataclass(frozen=True)
class Grammar:
    """The flags of one command: those of a dataclass, and of the kinds that other flags choose."""

    command: str
    options: type[Any]
    kinds: Mapping[str, tuple[str, str]]
    """Flag → the folder whose files are its values, and the default."""
    groups: Mapping[str, tuple[str, str, str]] = dataclasses.field(default_factory=dict)
    """Flag → a file of the package, the dataclass in it whose fields are --FLAG.*, and a line of help."""
    scene_from: tuple[str, ...] = ("start",)
    """The classmethods, the first that a kind of scene has, whose keywords are --scene.*."""
    preset: str = ""
    """The default of --preset, if there are presets: they give defaults to --scene.*."""
    preset_of: str = "scene"
    """The flag whose kind has the presets."""

    @property
    def help(self) -> str:
        return f"distill3d {self.command} --help"

    def from_command_line(self, argv: Sequence[str]) -> Any:
        """The options in `argv`, on top of those of --again."""
        again = _flags.given(argv, "again")
        if again is None:
            return _flags.parse(self._class({}, argv), argv, self.command)
        stored = self._with_preset(self._stored(Path(again)), argv)
        known = self._class(stored, argv)
        return _flags.parse(known, argv, self.command, self._restored(known, stored, again))

    def from_run(self, path: Path) -> Any:
        """The options that a run.json holds."""
        stored = self._stored(path)
        return self._restored(self._class(stored, []), stored, str(path))

    def _class(self, stored: dict[str, Any], argv: Sequence[str]) -> type[Any]:
        """The options with the flags of the chosen kinds, none of which is imported for it."""
        columns = []
        for name, (folder, default) in self.kinds.items():
            kind = _flags.given(argv, name) or stored.get(name, default)
            path = plugins.find(folder, kind, name, self.help)
            flags = plugins.keywords(path, *self.scene_from) if name == "scene" else plugins.fields(path)
            if name == self.preset_of and self.preset:
                chosen = presets(path).get(self._chosen_preset(stored, argv), {})
                flags = [replace(flag, default=chosen.get(flag.name, flag.default)) for flag in flags]
            columns.append(_flags.choice(name, folder, default, f"one of the files in {folder}/:"))
            columns.append(_flags.group(flags, name, kind, f"of --{name} {kind}"))
            if name == self.preset_of and self.preset:
                columns.append(_flags.preset(presets(path), self.preset, kind))
        for name, (file, of, line) in self.groups.items():
            columns.append(_flags.group(plugins.fields(plugins.PACKAGE / file, of), name, name, line))
        namespace = {"__doc__": self.options.__doc__}
        name = f"{self.command.title()}Options"
        return dataclasses.make_dataclass(
            name, columns, bases=(Shared, self.options), frozen=True, namespace=namespace
        )

    def _chosen_preset(self, stored: dict[str, Any], argv: Sequence[str]) -> str:
        return _flags.given(argv, "preset") or stored.get("preset", self.preset)

    def _with_preset(self, stored: dict[str, Any], argv: Sequence[str]) -> dict[str, Any]:
        """Stored options, in which a preset other than theirs, if `argv` has one, decides again."""
        name = self._chosen_preset(stored, argv)
        if name == stored.get("preset", name):
            return stored
        of, options = self.preset_of, f"{self.preset_of}_options"
        decided = presets(plugins.find(self.kinds[of][0], stored[of], of, self.help)).get(name, {})
        values = {key: decided.get(key, value) for key, value in stored[options].items()}
        return {**stored, "steps": 0, "views": 0, "rays": 0, options: values}

    def _stored(self, path: Path) -> dict[str, Any]:
        from distill3d.runs import read_json

        content = read_json(path)
        options = content.get("options")
        if content.get("command") != self.command:
            raise UserError(
                f"{path} describes a {content.get('command')} and not a {self.command}; "
                f"expected the run.json of a distill3d {self.command}"
            )
        if not isinstance(options, dict) or not all(isinstance(options.get(n), str) for n in self.kinds):
            raise UserError(f"{path} holds no options; expected the run.json of a distill3d {self.command}")
        return options

    def _restored(self, known: type[Any], stored: dict[str, Any], path: str) -> Any:
        """Options from JSON. Those of a kind that is no longer chosen are left out."""
        defaults, values = known(), {}
        for name, value in stored.items():
            if not hasattr(defaults, name):
                raise UserError(f"{path}: unknown option {name}; another version wrote it")
            current = getattr(defaults, name)
            kind = getattr(current, "kind", None)
            if not dataclasses.is_dataclass(current):
                values[name] = getattr(defaults, f"{name}_options").kind if name in self.kinds else value
            elif kind == stored.get(name.removesuffix("_options"), kind):
                values[name] = _restored_group(current, value, f"{path}: {name}")
        return replace(defaults, **values)


def presets(path: Path) -> dict[str, dict[str, Any]]:
    """The presets of the kind of scene in this file, by name."""
    return plugins.presets(path, plugins.PACKAGE / "scene.py")


def to_run(options: Any) -> dict[str, Any]:
    """What a run.json holds of the options: all that the result depends on."""
    values = {k: v for k, v in dataclasses.asdict(options).items() if k not in NOT_STORED}
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}


def _restored_group(defaults: Any, stored: Any, where: str) -> Any:
    names = {field.name for field in dataclasses.fields(defaults)}
    if not isinstance(stored, dict) or set(stored) != names:
        raise UserError(f"{where} should hold {', '.join(sorted(names))}; another version wrote it")
    return type(defaults)(**{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()})
