"""Runs: complete folders, repeatable to the last bit, and nothing lost by a stop or a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from distill3d import files, plugins
from distill3d.commands import _results, _training
from tests.commands.conftest import TINY, Said, process

Run = Callable[..., Said]

LONG = ["x", "--prior", "blob", "--steps", "150", "--size", "24", "--views", "2", "--picture-size", "16"]
LONG += ["--scene.count", "300", "--scene.limit", "600", "--checkpoint-every", "10"]
"""A run of a second or two, so that it can be met in the middle."""


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def _bits(folder: Path) -> dict[str, torch.Tensor]:
    return files.load(folder).state_dict()


def _equal(a: Path, b: Path) -> bool:
    ours, theirs = _bits(a), _bits(b)
    return set(ours) == set(theirs) and all(torch.equal(v, theirs[k]) for k, v in ours.items())


def test_a_run_leaves_a_complete_folder(distill3d: Run, tmp_path: Path) -> None:
    said = distill3d("generate", "A red thing!", *TINY, "--seed", "3")
    assert said.code == 0, said.err
    folder = tmp_path / "runs" / "a-red-thing"
    assert "writing to runs/a-red-thing" in said.out
    names = {
        "run.json",
        "metrics.jsonl",
        "checkpoint.pt",
        "scene.ply",
        "turntable.gif",
        "turntable.png",
        "report.json",
    }
    assert {p.name for p in folder.iterdir()} == names
    run, report = _json(folder / "run.json"), _json(folder / "report.json")
    assert run["seed"] == 3 and run["options"]["prompt"] == "A red thing!" and run["options"]["steps"] == 6
    assert run["threads"] == torch.get_num_threads() and run["torch"] == torch.__version__
    assert report["steps"] == 6 and report["seconds"] > 0 and report["device"] == "cpu"
    assert "world" not in report, "a prior in closed form knows no world"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 7)) and all(line["loss"] >= 0 for line in lines)
    with Image.open(folder / "turntable.gif") as gif:
        assert gif.size == (16, 16) and gif.n_frames == 36


def test_progress_is_plain_lines_away_from_a_terminal(distill3d: Run) -> None:
    said = distill3d("generate", "x", *TINY)
    assert (
        "step 1/6" in said.err and "step 6/6" in said.err and "steps/s" in said.err and "\x1b" not in said.err
    )


def test_a_folder_in_use_is_left_alone(distill3d: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    said = distill3d("generate", "x", *TINY, "--out", "mine")
    assert said.code == 0 and "writing to mine-2  (mine is taken)" in said.out
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    said = distill3d("generate", "x", *TINY, "--out", "mine", "--overwrite")
    assert "writing to mine\n" in said.out
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "scene", [["gaussians", "--scene.count", "40"], ["voxels", "--scene.resolution", "6"]]
)
def test_the_same_seed_gives_the_same_scene_and_another_another(distill3d: Run, scene: list[str]) -> None:
    flags = ["generate", "x", *TINY, "--scene", *scene]
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert distill3d(*flags, "--seed", seed, "--out", out).code == 0
    assert _equal(Path("a"), Path("b")) and not _equal(Path("a"), Path("c"))


def test_again_repeats_a_run_and_flags_change_it(distill3d: Run) -> None:
    flags = ["--method.t-last", "0.2", "0.3", "--scene.count", "30", "--rig.radius", "3.5"]
    distill3d("generate", "x", *TINY, *flags, "--seed", "5", "--out", "a")
    assert distill3d("generate", "--again", "a/run.json", "--out", "b").code == 0
    assert _equal(Path("a"), Path("b"))
    assert _json(Path("a/run.json"))["options"] == _json(Path("b/run.json"))["options"]
    changed = distill3d("generate", "--again", "a/run.json", "--out", "c", "--method", "esd", "--steps", "3")
    assert changed.code == 0, changed.err
    options = _json(Path("c/run.json"))["options"]
    assert options["method"] == "esd" and options["steps"] == 3 and options["method_options"]["memory"] == 64
    assert options["scene_options"]["count"] == 30 and options["rig_options"]["radius"] == 3.5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda run: run.pop("options"), "holds no options"),
        (lambda run: run["options"].update(novelty=1), "unknown option novelty"),
        (lambda run: run["options"]["prior_options"].pop("red"), "prior_options should hold"),
        (lambda run: run["options"].update(method="gone"), 'unknown method "gone"'),
    ],
)
def test_a_run_json_of_another_version_is_refused(
    distill3d: Run, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    distill3d("generate", "x", *TINY, "--out", "a")
    run = _json(Path("a/run.json"))
    change(run)
    Path("other.json").write_text(json.dumps(run))
    said = distill3d("generate", "--again", "other.json")
    assert said.code == 2 and sentence in said.err


def test_resuming_a_finished_run_says_so(distill3d: Run) -> None:
    distill3d("generate", "x", *TINY, "--out", "a")
    before = Path("a/scene.ply").read_bytes()
    said = distill3d("generate", "--resume", "a")
    assert said.code == 0 and "a is finished" in said.out
    assert Path("a/scene.ply").read_bytes() == before


def test_a_run_killed_before_its_first_checkpoint_starts_afresh(distill3d: Run) -> None:
    distill3d("generate", "x", *TINY, "--out", "whole")
    distill3d("generate", "x", *TINY, "--out", "killed")
    for name in ("checkpoint.pt", "report.json", "scene.ply", "metrics.jsonl"):
        Path("killed", name).unlink()
    said = distill3d("generate", "--resume=killed")
    assert said.code == 0 and "after step 0" in said.out
    assert _equal(Path("whole"), Path("killed"))


def test_a_run_killed_before_its_pictures_still_gets_them(distill3d: Run) -> None:
    distill3d("generate", "x", *TINY, "--out", "a")
    before = Path("a/scene.ply").read_bytes()
    for name in ("report.json", "scene.ply", "turntable.png"):
        Path("a", name).unlink()
    said = distill3d("generate", "--resume", "a")
    assert said.code == 0 and "after step 6" in said.out
    assert Path("a/scene.ply").read_bytes() == before and Path("a/turntable.png").exists()


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"words"])
def test_a_damaged_checkpoint_is_one_sentence(distill3d: Run, damage: Callable[[bytes], bytes]) -> None:
    distill3d("generate", "x", *TINY, "--out", "a")
    Path("a/report.json").unlink()
    checkpoint = Path("a/checkpoint.pt")
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    said = distill3d("generate", "--resume", "a")
    assert said.code == 2 and "checkpoint.pt is" in said.err and said.err.count("\n") == 1


def test_a_collapsed_run_says_why(distill3d: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill3d.distill.PATIENCE", 2)
    said = distill3d("generate", "x", *TINY, "--scene.opacity", "0.000001")
    assert said.code == 2
    assert said.err.splitlines()[-1].startswith("error: the scene has been empty")


class _StopAfter:
    """Stands for a Ctrl-C that comes during step `number`."""

    def __init__(self, number: int) -> None:
        self.left = number

    def is_set(self) -> bool:
        self.left -= 1
        return self.left == 0


WORLD = ["a red ball", "--steps", "7", "--size", "10", "--views", "2", "--picture-size", "16"]
WORLD += ["--prior.instances", "1", "--prior.stations", "4"]


WITH_EVERY_METHOD = [
    pytest.param(method, "gaussians", marks=[pytest.mark.slow] * (method == "reward"))  # trains a judge first
    for method in plugins.menu("objectives")
]
WITH_EVERY_SCENE = [("esd", scene) for scene in plugins.menu("representations")]


@pytest.mark.parametrize(("method", "scene"), [*WITH_EVERY_METHOD, *WITH_EVERY_SCENE])
def test_every_method_and_kind_of_scene_goes_on_to_the_same_bits(
    distill3d: Run, monkeypatch: pytest.MonkeyPatch, method: str, scene: str
) -> None:
    """Without the pictures at the end, which have tests of their own."""

    def only_the_scene(options: object, run: Any, student: Any, *_: object) -> None:
        files.save(student, run.path("scene.safetensors"))

    monkeypatch.setattr(_results, "write_results", only_the_scene)
    flags = ["generate", *WORLD, "--method", method, "--scene", scene]
    assert distill3d(*flags, "--out", "whole").code == 0
    with monkeypatch.context() as during_the_fourth_step:
        during_the_fourth_step.setattr(_training, "_patience", lambda: nullcontext(_StopAfter(4)))
        said = distill3d(*flags, "--out", "stopped")
    assert said.code == 130 and "stopped after step 4; go on with" in said.err
    assert distill3d("generate", "--resume", "stopped").code == 0
    assert _equal(Path("whole"), Path("stopped"))


def _wait_for_a_checkpoint(folder: Path, child: subprocess.Popen[str], *, newer_than: int = 0) -> None:
    """`newer_than` is in nanoseconds, as `stat` tells them."""
    deadline, checkpoint = time.monotonic() + 300, folder / "checkpoint.pt"
    while not checkpoint.exists() or checkpoint.stat().st_mtime_ns <= newer_than:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _ends_well(child: subprocess.Popen[str]) -> None:
    _, err = child.communicate(timeout=120)
    assert child.returncode == 0, err


def test_a_run_killed_and_then_stopped_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    _ends_well(process("generate", *LONG, "--out", "whole", cwd=tmp_path))
    child = process("generate", *LONG, "--out", "run", cwd=tmp_path)
    _wait_for_a_checkpoint(run, child)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=120)
    assert child.returncode == -signal.SIGKILL
    assert not (run / "report.json").exists(), "it was met in the middle"
    left = (run / "checkpoint.pt").stat().st_mtime_ns
    child = process("generate", "--resume", "run", cwd=tmp_path)
    _wait_for_a_checkpoint(run, child, newer_than=left)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130 and not (run / "report.json").exists()
    assert "going on with run after step " in out and "after step 0" not in out
    assert err.splitlines()[-1].startswith("stopped after step ")
    assert err.splitlines()[-1].endswith("go on with: distill3d generate --resume run")
    assert "Traceback" not in err
    _ends_well(process("generate", "--resume", "run", cwd=tmp_path))
    assert (run / "scene.ply").read_bytes() == (whole / "scene.ply").read_bytes()
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 151))
