"""Run folders: nothing is overwritten unasked, and what is damaged says so."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill3d import atomic
from distill3d.errors import UserError
from distill3d.runs import Run, read_json, slug


@given(st.text())
def test_a_slug_is_a_name_and_making_it_twice_changes_nothing(text: str) -> None:
    name = slug(text)
    assert name and len(name) <= 60
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not name.startswith("-") and not name.endswith("-")
    assert slug(name) == name


def test_a_slug_reads_like_its_prompt() -> None:
    assert slug('A red robot, "back view"!') == "a-red-robot-back-view"


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    atomic.write(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        atomic.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    atomic.write(tmp_path / "atomic", b"")
    assert (tmp_path / "plain").stat().st_mode == (tmp_path / "atomic").stat().st_mode


def test_a_folder_in_use_gets_a_number_and_stays_as_it_was(tmp_path: Path) -> None:
    wanted = tmp_path / "run"
    assert Run.create(wanted, overwrite=False).folder == wanted
    assert Run.create(wanted, overwrite=False).folder == wanted, "an empty folder is free"
    (wanted / "mine.txt").write_text("mine")
    assert Run.create(wanted, overwrite=False).folder == tmp_path / "run-2"
    (tmp_path / "run-2" / "run.json").write_text("{}")
    assert Run.create(wanted, overwrite=False).folder == tmp_path / "run-3"
    assert [p.name for p in wanted.iterdir()] == ["mine.txt"]


def test_overwriting_removes_an_earlier_run_and_nothing_else(tmp_path: Path) -> None:
    for name in ("mine.txt", "checkpoint.pt", "scene.ply", "report.json"):
        (tmp_path / name).write_text("old")
    assert Run.create(tmp_path, overwrite=True).folder == tmp_path
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_name_that_is_a_file_counts_as_taken(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    assert Run.create(tmp_path / "run", overwrite=False).folder == tmp_path / "run-2"


STATE = {
    "number": 3,
    "student": {"means": torch.arange(6.0).reshape(2, 3)},
    "names": ["a", None],
    "rate": 0.5,
}


def test_a_checkpoint_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.load_checkpoint() is None
    run.save_checkpoint(3, 1.5, STATE)
    found = run.load_checkpoint()
    assert found is not None and (found.step, found.seconds) == (3, 1.5)
    assert torch.equal(found.state.pop("student")["means"], STATE["student"]["means"])
    assert found.state == {k: v for k, v in STATE.items() if k != "student"}


@pytest.mark.parametrize("part", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_checkpoint_cut_anywhere_is_refused_in_a_sentence(tmp_path: Path, part: float) -> None:
    run = Run(tmp_path)
    run.save_checkpoint(3, 1.5, STATE)
    whole = run.path("checkpoint.pt").read_bytes()
    run.path("checkpoint.pt").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(UserError, match=r"checkpoint\.pt is (damaged|not a checkpoint)"):
        run.load_checkpoint()


class Bomb:
    """Would run code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("kind", ["pickle", "torch", "other"])
def test_a_foreign_file_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    if kind == "pickle":
        pickle.dump(Bomb(), buffer)
    else:
        torch.save(Bomb() if kind == "torch" else {"format": "another"}, buffer)
    Path("checkpoint.pt").write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="again with --again"):
        Run(tmp_path).load_checkpoint()
    assert not Path("exploded").exists()


def test_metrics_are_cut_back_to_the_checkpoint_and_go_on_from_there(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with run.metrics(after=0) as metrics:
        for number in range(1, 8):
            metrics.add(number, loss=number / 4)
    torn = run.path("metrics.jsonl").read_text() + '{"step": 8, "lo'
    run.path("metrics.jsonl").write_text(torn)
    with run.metrics(after=5) as metrics:
        metrics.add(6, loss=9.0)
    lines = [json.loads(line) for line in run.path("metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[-1]["loss"] == 9.0 and lines[-2]["loss"] == 1.25


@pytest.mark.parametrize("content", ["", "[1]", "{", "\x00"])
def test_json_that_is_no_object_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"run\.json"):
        read_json(path)


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not a run: it has no run\.json"):
        Run.open(tmp_path)
