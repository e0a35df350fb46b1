"""The menu that is read with `ast` is the one that importing would give."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import sys
import typing
from pathlib import Path

import pytest

from distill3d import plugins
from distill3d.errors import UserError

FOLDERS = ("objectives", "priors", "representations")
KINDS = [(folder, name) for folder in FOLDERS for name in plugins.menu(folder)]


@pytest.mark.parametrize(("folder", "name"), KINDS)
def test_every_kind_loads_and_its_help_is_its_docstring(folder: str, name: str) -> None:
    kind = plugins.load(folder, name, "kind", "--help")
    assert kind.__name__.lower() == name.replace("_", "")
    assert plugins.menu(folder)[name] == inspect.getdoc(kind).splitlines()[0]


@pytest.mark.parametrize(("folder", "name"), [k for k in KINDS if k[0] != "representations"])
def test_flags_read_from_the_source_are_the_fields_of_the_class(folder: str, name: str) -> None:
    kind = plugins.load(folder, name, "kind", "--help")
    read = {f.name: f for f in plugins.fields(plugins.PACKAGE / folder / f"{name}.py")}
    hints = typing.get_type_hints(kind, include_extras=True)
    real = [f for f in dataclasses.fields(kind) if f.init]
    assert list(read) == [f.name for f in real]
    for field in real:
        annotated = hints[field.name]
        assert read[field.name].default == field.default
        assert read[field.name].annotation == annotated.__origin__
        assert read[field.name].help == annotated.__metadata__[0]


@pytest.mark.parametrize("name", plugins.menu("representations"))
def test_flags_of_a_scene_are_the_keywords_of_start(name: str) -> None:
    kind = plugins.load("representations", name, "kind", "--help")
    parameters = inspect.signature(kind.start).parameters.values()
    read = plugins.keywords(plugins.PACKAGE / "representations" / f"{name}.py", "start")
    wanted = {p.name: p.default for p in parameters if p.name != "seed"}
    assert {f.name: f.default for f in read} == wanted


@pytest.mark.parametrize("name", plugins.menu("representations"))
def test_flags_of_a_fit_are_those_of_the_first_method_that_there_is(name: str) -> None:
    kind = plugins.load("representations", name, "kind", "--help")
    method = "from_photographs" if "from_photographs" in vars(kind) else "start"
    parameters = inspect.signature(getattr(kind, method)).parameters.values()
    read = plugins.keywords(plugins.PACKAGE / "representations" / f"{name}.py", "from_photographs", "start")
    wanted = {p.name: p.default for p in parameters if p.name not in ("seed", "seen")}
    assert {f.name: f.default for f in read} == wanted


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package with a contract whose field every kind inherits."""
    (tmp_path / "objectives").mkdir()
    (tmp_path / "objective.py").write_text(
        "from typing import Annotated\nfrom dataclasses import dataclass\nBASE = -2.5\n"
        "@dataclass\nclass Objective:\n    scale: Annotated[float | None, 'of all'] = BASE\n"
    )
    monkeypatch.setattr(plugins, "PACKAGE", tmp_path)
    return tmp_path


def _drop(package: Path, name: str, text: str) -> Path:
    path = package / "objectives" / f"{name}.py"
    path.write_text(text)
    return path


KIND = '''"""A file."""
from dataclasses import dataclass, field
from typing import Annotated, ClassVar
from distill3d.objective import BASE as LOWEST, Objective
PAIR = (0.5, 1)

@dataclass
class TwoWords(Objective):
    """A kind.

    More of it."""
    low: float = LOWEST
    pair: Annotated[tuple[float, float], "two numbers"] = PAIR
    name: str
    kept: list = field(default_factory=list)
    shared: ClassVar[int] = 3
    _hidden: int = 4
'''


def test_dropping_a_file_makes_a_kind_with_its_own_and_inherited_flags(package: Path) -> None:
    assert plugins.menu("objectives") == {}
    path = _drop(package, "two_words", KIND)
    assert plugins.menu("objectives") == {"two_words": "A kind."}
    flags = {f.name: f for f in plugins.fields(path)}
    assert list(flags) == ["scale", "low", "pair", "name"]
    assert flags["scale"] == plugins.Flag("scale", float | None, "of all", -2.5)
    assert flags["low"] == plugins.Flag("low", float, "", -2.5)
    assert flags["pair"] == plugins.Flag("pair", tuple[float, float], "two numbers", (0.5, 1))
    assert flags["name"].default is dataclasses.MISSING


def test_a_file_that_cannot_be_read_does_not_hide_the_others(package: Path) -> None:
    _drop(package, "two_words", KIND)
    _drop(package, "broken", "class Broken(:\n")
    menu = plugins.menu("objectives")
    assert menu["two_words"] == "A kind."
    assert "cannot be read" in menu["broken"] and "line 1" in menu["broken"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "from dataclasses import dataclass\n@dataclass\nclass Odd:\n    x: float = f()\n",
            r"the default f\(\)",
        ),
        ("from dataclasses import dataclass\n@dataclass\nclass Odd:\n    x: Thing = 1\n", "x is a Thing"),
        ("class Even:\n    pass\nclass Other:\n    pass\n", "has no class Odd"),
    ],
)
def test_what_cannot_be_a_flag_is_explained(package: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        plugins.fields(_drop(package, "odd", text))


def test_an_unknown_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r'unknown method "essd"; did you mean esd\? x --help lists them'):
        plugins.load("objectives", "essd", "method", "x --help")
    with pytest.raises(UserError, match="known are blob, exact"):
        plugins.load("priors", "../scene", "prior", "x --help")


def test_only_the_chosen_file_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(importlib, "import_module", lambda name: asked.append(name) or sys.modules[__name__])
    monkeypatch.setattr(sys.modules[__name__], "SDS", object, raising=False)
    assert plugins.load("objectives", "sds", "method", "--help") is object
    assert asked == ["distill3d.objectives.sds"]
