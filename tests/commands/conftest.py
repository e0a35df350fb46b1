"""The command line as a function, and as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from distill3d.__main__ import main

TINY = ["--prior", "blob", "--steps", "6", "--size", "12", "--views", "2", "--picture-size", "16"]
"""A run of a fraction of a second: a prior in closed form, and hardly any pixels."""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def distill3d(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """`distill3d(*arguments)` in an empty folder; --help counts as exit code 0."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Said:
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run


def process(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """`python -m distill3d` in a process of its own, which hears Ctrl-C even if the tests do not."""
    command = [sys.executable, "-m", "distill3d", *map(str, arguments)]

    def hear() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear
    )
