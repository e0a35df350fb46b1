"""distill3d convert, stopped and killed: it goes on to the same bits, and says how."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from distill3d import files
from distill3d.commands import _convert_results, _training
from distill3d.conversions import field_of
from tests.commands.conftest import Said, process
from tests.commands.test_convert import FEW, ball, splats

Run = Callable[..., Said]
SMALL = {
    "gaussians": ["--to.count", "60", "--to.degree", "1"],
    "mlp": ["--to.width", "16", "--to.layers", "1", "--to.samples", "24"],
    "hash_grid": ["--to.levels", "3", "--to.log2-entries", "9", "--to.finest", "24", "--to.samples", "24"],
}
LONG = [*FEW, "--to", "mlp", *SMALL["mlp"], "--steps", "120", "--checkpoint-every", "10"]
"""A run of a second or two, to be met in the middle."""


def _equal(a: Path, b: Path) -> bool:
    ours, theirs = (files.load(folder).state_dict() for folder in (a, b))
    return set(ours) == set(theirs) and all(torch.equal(value, theirs[name]) for name, value in ours.items())


@pytest.mark.parametrize(("source", "kind"), [("ball", "gaussians"), ("splats", "hash_grid")])
def test_every_lesson_goes_on_to_the_same_bits(
    distill3d: Run, monkeypatch: pytest.MonkeyPatch, source: str, kind: str
) -> None:
    """Before pictures, and before weights of primitives are learned; without the results at the end."""

    class AfterTheNinth:
        """Stands for a Ctrl-C that comes during a step."""

        left = 9

        def is_set(self) -> bool:
            self.left -= 1
            return self.left == 0

    def only_the_scene(options: object, run: Any, parts: Any, *_: object) -> None:
        files.save(parts.student, run.path("scene.safetensors"))

    monkeypatch.setattr(_convert_results, "write_results", only_the_scene)
    monkeypatch.setattr(field_of, "RESOLUTION", 32)
    files.save(ball() if source == "ball" else splats(), "source.safetensors")
    flags = ["convert", "source.safetensors", *FEW, "--to", kind, *SMALL[kind], "--steps", "14"]
    assert distill3d(*flags, "--out", "whole").code == 0
    with monkeypatch.context() as once:
        once.setattr(_training, "_patience", lambda: nullcontext(AfterTheNinth()))
        said = distill3d(*flags, "--out", "stopped")
    assert said.code == 130
    assert said.err.splitlines()[-1] == (
        "stopped after step 9; go on with: distill3d convert --resume stopped"
    )
    assert distill3d("convert", "--resume", "stopped").code == 0
    assert _equal(Path("whole"), Path("stopped"))


@pytest.mark.slow
def test_a_conversion_stopped_and_then_killed_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    files.save(ball(), tmp_path / "ball.safetensors")
    _end(process("convert", "ball.safetensors", *LONG, "--out", "whole", cwd=tmp_path))

    child = process("convert", "ball.safetensors", *LONG, "--out", "run", cwd=tmp_path)
    _wait_for_a_checkpoint(tmp_path / "run", child, after=0)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=300)
    assert child.returncode == 130 and "Traceback" not in err
    assert err.splitlines()[-1].startswith("stopped after step ")
    assert err.splitlines()[-1].endswith("go on with: distill3d convert --resume run")

    stopped = (tmp_path / "run" / "checkpoint.pt").stat().st_mtime_ns
    child = process("convert", "--resume", "run", cwd=tmp_path)
    _wait_for_a_checkpoint(tmp_path / "run", child, after=stopped)
    child.kill()
    child.communicate(timeout=300)
    assert child.returncode == -signal.SIGKILL
    assert not (tmp_path / "run" / "report.json").exists(), "it was met in the middle"

    out = _end(process("convert", "--resume", "run", cwd=tmp_path))
    assert "going on with run after step " in out and "after step 0" not in out
    assert _equal(tmp_path / "whole", tmp_path / "run")
    assert (tmp_path / "run" / "report.json").exists()


def test_ctrl_c_before_anything_is_learned_leaves_nothing(
    distill3d: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("distill3d.conversion.start", interrupted)
    files.save(ball(), "ball.safetensors")
    said = distill3d("convert", "ball.safetensors", *FEW, "--to", "mlp", *SMALL["mlp"], "--out", "run")
    assert (said.code, said.err) == (130, "stopped\n") and not Path("run").exists()


def _wait_for_a_checkpoint(folder: Path, child: subprocess.Popen[str], *, after: int) -> None:
    """Until there is one that was written later than `after`, in nanoseconds."""
    path, deadline = folder / "checkpoint.pt", time.monotonic() + 300
    while not path.exists() or path.stat().st_mtime_ns <= after:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _end(child: subprocess.Popen[str]) -> str:
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    return out
