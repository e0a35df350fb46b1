"""`bench formats`: what is measured, kept and judged; the numbers themselves depend on the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from distill3d.bench import formats
from distill3d.bench._benchmark import Results
from distill3d.bench.formats import FORMATS, Formats, gaussians, judgements, row
from distill3d.commands.bench import options_class
from distill3d.errors import UserError


def record(write: float, peak: float = 0.0) -> dict:
    return {
        "write": {"seconds": write, "peak_bytes": peak},
        "read": {"seconds": 1.0, "peak_bytes": 0},
        "bytes": 5e6,
    }


HELD = """
from distill3d.bench._memory import peak_bytes
before = peak_bytes()
held = bytearray(60_000_000)
assert 50_000_000 < peak_bytes() - before < 70_000_000, peak_bytes() - before
del held
assert peak_bytes() - before > 50_000_000, peak_bytes() - before
"""


def test_memory_that_was_held_shows() -> None:
    """In a process that has held no more before."""
    subprocess.run([sys.executable, "-c", HELD], check=True, timeout=120)


def test_each_format_is_written_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_elsewhere", lambda measure, *arguments: measure(*arguments))
    results = Results()
    lines = list(Formats(count=300, degree=1, rounds=2, results=results).lines())
    assert [line.split()[0] for line in lines[2 : 2 + len(FORMATS)]] == list(FORMATS)
    assert "expected" not in "".join(lines), "targets are for a million"
    outcome = results.records[0]["outcome"]
    assert outcome["write"]["seconds"] > 0 and outcome["bytes"] > 300 * 4 * 26
    assert list(Formats(count=300, degree=1, results=results).lines()) == lines, (
        "what is there is not repeated"
    )


@pytest.mark.slow
def test_memory_is_measured_in_a_process_of_its_own() -> None:
    results = Results()
    list(Formats(formats="ply", count=200_000, rounds=1, results=results).lines())
    outcome, scene = results.records[0]["outcome"], 200_000 * 59 * 4
    assert scene < outcome["write"]["peak_bytes"] < 4 * scene
    assert 2 * scene < outcome["read"]["peak_bytes"] < 4 * scene


def test_targets_are_judged() -> None:
    found = {"ply": record(1.9), "spz": record(3.1, 0.7e9)}
    assert [line.split()[0] for line in judgements(found)] == ["met", "met", "MISSED", "MISSED"]
    assert row("ply", found["ply"]).split() == ["ply", "1.90", "1.00", "0", "0", "5.0"]


def test_the_scene_is_the_same_each_time() -> None:
    one, other = gaussians(10, 2), gaussians(10, 2)
    assert one["sh"].shape == (10, 9, 3) and all(value.equal(other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [({"count": 0}, "count is 0"), ({"degree": 4}, "degree is 4"), ({"jobs": 2}, "jobs is 2")],
)
def test_wrong_flags_are_named(flags: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Formats(**flags)
    with pytest.raises(UserError, match='unknown format "spx"; did you mean spz'):
        Formats(formats="spx")


def test_its_flags_are_read_without_running_it() -> None:
    help_page = options_class("formats")
    assert help_page().count == 1_000_000 and help_page().degree == 3  # pyright: ignore[reportAttributeAccessIssue]
