"""`distill3d bench`: lines as they come, and a file that an interrupted benchmark goes on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distill3d import machine, plugins
from distill3d.bench import _trial
from distill3d.bench._trial import Outcome, Trial
from tests.bench.test_benchmark import report
from tests.commands.conftest import Said

Run = Callable[..., Said]
MUGS = ["bench", "kinds", "--kinds", "mug,bowl,vase", "--json", "found.json"]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    """The trials that were run; the second of all is interrupted."""
    trials: list[Trial] = []

    def run(trial: Trial) -> Outcome:
        trials.append(trial)
        if len(trials) == 2:
            raise KeyboardInterrupt
        return Outcome(2.0, report(trial))

    monkeypatch.setattr(_trial, "run", run)
    return trials


def test_an_interrupted_benchmark_goes_on_where_it_stopped(
    distill3d: Run, tmp_path: Path, ran: list[Trial]
) -> None:
    assert distill3d(*MUGS).code == 130
    content = json.loads((tmp_path / "found.json").read_text())
    assert [r["trial"]["prompt"] for r in content["results"]] == ["a mug"]
    said = distill3d(*MUGS)
    assert said.code == 0 and [t.prompt for t in ran] == ["a mug", "a bowl", "a bowl", "a vase"]
    content = json.loads((tmp_path / "found.json").read_text())
    assert content["benchmark"] == "kinds" and content["processor"] == machine.processor()
    assert content["threads"] >= 1 and content["distill3d"] and content["torch"]
    assert [r["outcome"]["report"]["psnr"] for r in content["results"]] == [25.0, 26.0, 26.0]
    assert "mug" in said.out and "worst: mug 25.000" in said.out


def test_numbers_of_other_conditions_are_not_put_beside_these(
    distill3d: Run, tmp_path: Path, ran: list[Trial]
) -> None:
    distill3d(*MUGS)
    path = tmp_path / "found.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"processor": "abacus"}))
    said = distill3d(*MUGS)
    assert said.code == 2 and "found.json was measured with processor abacus" in said.err
    assert "give another file" in said.err and len(ran) == 2
    path.write_text("{}")
    assert distill3d(*MUGS).code == 2


def test_the_menu_holds_the_benchmarks_and_nothing_else(distill3d: Run) -> None:
    kinds = {"compress", "convert", "formats", "janus", "kinds", "lessons", "modes", "objectives", "render"}
    kinds |= {"scratch"}
    assert set(plugins.menu("bench")) == kinds
    assert distill3d("bench").out == distill3d("bench", "--help").out
    assert "janus" in distill3d("bench").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["knids"], 'unknown benchmark "knids"; did you mean kinds? distill3d bench --help lists them.'),
        (["kinds", "--kinds", "mgu"], 'unknown kind "mgu"; did you mean mug'),
        (["kinds", "--seed", "3"], 'unknown flag "--seed"; did you mean --seeds'),
        (["kinds", "--jobs", "0"], "jobs is 0; expected a whole number of at least 1"),
    ],
)
def test_mistakes_are_sentences(distill3d: Run, words: list[str], sentence: str) -> None:
    said = distill3d("bench", *words)
    assert said.code == 2 and sentence in said.err
