"""What the README says can be typed, can be typed."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from distill3d import plugins
from distill3d.commands import _flags, bench, convert, fit, generate, lift

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GRAMMARS = {command.GRAMMAR.command: command.GRAMMAR for command in (generate, fit, convert, lift)}


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def _commands() -> list[list[str]]:
    """The words of every line of the bash blocks that calls distill3d."""
    lines = [shlex.split(line, comments=True) for block in _blocks("bash") for line in block.splitlines()]
    return [words[1:] for words in lines if words and words[0] == "distill3d"]


def test_there_is_something_to_type() -> None:
    assert len(_commands()) >= 3 and len(_blocks("python")) >= 1


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_every_command_is_understood(words: list[str]) -> None:
    name, *rest = words
    assert name in plugins.menu("commands")
    if name in GRAMMARS:
        if "--again" in rest:
            del rest[rest.index("--again") : rest.index("--again") + 2]
            rest.append("a prompt, which --again would bring")
        GRAMMARS[name].from_command_line(rest)
    elif name == "bench":
        _flags.parse(bench.options_class(rest[0]), rest[1:], name)
    else:
        _flags.parse(importlib.import_module(f"distill3d.commands.{name}").Options, rest, name)


def test_the_table_names_every_command() -> None:
    named = set(re.findall(r"^\| `distill3d (\w+)", README, re.MULTILINE))
    assert named == set(plugins.menu("commands"))


def _path_with_this_python(folder: Path) -> dict[str, str]:
    """`distill3d` is the package under test, `pip` is content with what is there, and `view` ends soon."""
    command = f'{sys.executable} -m distill3d "$@"'
    ours = (
        f'[ "$1" != view ] || exec timeout -s INT --preserve-status 20 {command} --no-browser\nexec {command}'
    )
    for name, line in (("distill3d", ours), ("pip", "exit 0")):
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.slow
def test_the_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "scenes").symlink_to(ROOT / "scenes")
    script = "set -eu\n" + "\n".join(_blocks("bash"))
    subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=_path_with_this_python(tmp_path / "bin"), check=True
    )


@pytest.mark.slow
def test_the_library_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = _blocks("python")
    assert "steps=20" in block
    exec(block.replace("steps=20", "steps=2"), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["1", "2"]
