"""`generate --preset`: some flags under one name, and those that are given win."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill3d import plugins
from distill3d.recipe import NO_JANUS
from tests.commands.conftest import TINY, Said

Run = Callable[..., Said]


def _options(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())["options"]


def test_no_janus_is_what_its_flags_are(distill3d: Run) -> None:
    flags = ["--method", "esd", "--method.entropy", "1", "--method.fake", "own", "--method.memory", "64"]
    flags += ["--method.t-first", "0.95", "0.99", "--method.t-last", "0.1", "0.3"]
    assert NO_JANUS["steps"] == 400, "which TINY decides here"
    assert distill3d("generate", "x", *TINY, "--preset", "no-janus", "--out", "a").code == 0
    assert distill3d("generate", "x", *TINY, *flags, "--out", "b").code == 0
    a, b = _options(Path("a")), _options(Path("b"))
    assert a.pop("preset") == "no-janus" and b.pop("preset") == ""
    assert a == b and a["method"] == "esd"


def test_a_given_flag_wins_over_a_preset_and_again_repeats_both(distill3d: Run) -> None:
    words = ["--preset", "no-janus", "--method.entropy", "0.5", "--out", "a"]
    assert distill3d("generate", "x", *TINY, *words).code == 0
    assert distill3d("generate", "--again", "a/run.json", "--out", "b").code == 0
    assert _options(Path("a")) == _options(Path("b"))
    assert _options(Path("b"))["method_options"]["entropy"] == 0.5
    again = ["--again", "a/run.json", "--preset", "no-janus", "--steps", "6"]
    assert distill3d("generate", *again, "--out", "c").code == 0
    assert _options(Path("c"))["method_options"]["entropy"] == NO_JANUS["method.entropy"]


def test_published_are_the_settings_of_the_chosen_methods_paper(distill3d: Run) -> None:
    said = distill3d("generate", "x", *TINY, "--method", "asd", "--preset", "published", "--out", "a")
    assert said.code == 0, said.err
    options = _options(Path("a"))["method_options"]
    assert options["shift"] == 0.1 and options["t_first"] == [0.5, 0.98]


@pytest.mark.parametrize("name", plugins.menu("objectives"))
def test_published_settings_are_read_without_importing_the_method(name: str) -> None:
    method = plugins.load("objectives", name, "method", "--help")
    path = plugins.PACKAGE / "objectives" / f"{name}.py"
    assert plugins.class_constant(path, "PUBLISHED") == method.PUBLISHED  # type: ignore[attr-defined]
    assert plugins.class_constant(path, "NOTHING_LIKE_IT") is None


def test_what_cannot_be_is_one_sentence(distill3d: Run) -> None:
    said = distill3d("generate", "x", *TINY, "--preset", "no-janus", "--method", "sds")
    assert said.code == 2 and "no-janus is a setting of --method esd and --method sds was given" in said.err
    said = distill3d("generate", "x", *TINY, "--preset", "no-yanus")
    assert said.code == 2 and "no-janus" in said.err and len(said.err.strip().splitlines()) == 1
    said = distill3d("generate", "x", *TINY, "--recipe", "magic3d", "--preset", "no-janus")
    assert said.code == 2 and "--preset" in said.err
    assert not list(Path().glob("runs/*"))
