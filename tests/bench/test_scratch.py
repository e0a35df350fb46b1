"""`bench scratch`: a conversion beside a fit for so many times as long; numbers depend on the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill3d.bench._benchmark import Record, Results
from distill3d.bench.scratch import Scratch
from distill3d.commands.bench import options_class
from distill3d.errors import UserError


def test_three_scenes_are_judged_by_the_same_photographs_and_measured_once() -> None:
    results = Results()
    bench = Scratch(teacher_steps=3, steps=3, rays=64, times=0.01, size=16, results=results)
    lines = list(bench.lines())
    (record,) = results.records
    assert list(record["outcome"]) == ["teacher", "converted", "fitted"]
    assert all(found["seconds"] > 0 and found["psnr"] > 0 for found in record["outcome"].values())
    assert len(lines) == 5 and lines[2].startswith("mlp from that hash_grid")
    assert list(bench.lines()) == lines and len(results.records) == 1


@pytest.mark.parametrize(("converted", "word"), [(30.0, "met"), (20.0, "MISSED")])
def test_what_is_better_is_said(monkeypatch: pytest.MonkeyPatch, converted: float, word: str) -> None:
    def found(self: Scratch, seed: int) -> Record:
        rows = {"teacher": 33.0, "converted": converted, "fitted": 25.0}
        return {name: {"seconds": 1.0, "psnr": psnr, "worst": psnr} for name, psnr in rows.items()}

    monkeypatch.setattr(Scratch, "_run", found)
    *_, last = Scratch(seeds=2).lines()
    assert last.startswith(word) and f"{converted - 25:+.2f} dB" in last


def test_wrong_flags_are_named(tmp_path: Path) -> None:
    for flags in ({"seeds": 0}, {"size": 4}, {"times": 0.0}, {"jobs": 2}):
        with pytest.raises(ValueError, match=f"{next(iter(flags))} "):
            Scratch(**flags)
    with pytest.raises(UserError, match="no folder"):
        list(Scratch(data=tmp_path / "none").lines())


def test_its_flags_are_read_without_running_it() -> None:
    assert options_class("scratch")().times == 10.0  # pyright: ignore[reportAttributeAccessIssue]
