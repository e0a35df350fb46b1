"""`distill3d view`, and `--view` of commands that train."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from distill3d import files
from distill3d.commands import _live
from distill3d.representations.gaussians import Gaussians
from distill3d.viewer import path
from distill3d.viewer.server import STATIC
from tests.commands.conftest import TINY, Said, process
from tests.viewer.conftest import Talk

Command = Callable[..., Said]
needs_page = pytest.mark.skipif(not (STATIC / "app.js").is_file(), reason="the viewer's page is not built")


def ball(file: Path, count: int = 50) -> Path:
    files.save(Gaussians.start(count=count), file)
    return file


def test_help_says_how_to_look(distill3d: Command) -> None:
    said = distill3d("view", "--help")
    assert said.code == 0 and "--compare" in said.out and "--port" in said.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no scene was given"),
        (["nothing"], "nothing is not there"),
        (["notes.txt"], "not a scene"),
        (["half.ply"], "half.ply"),
        (["."], "holds no scene"),
        (["ball.ply", "--compare"], "expected 2 to 4"),
        (["ball.ply", "--host", "0.0.0.0"], "every address"),
        (["ball.ply", "--port", "99999"], "65535"),
        (["ball.ply", "--port", "TAKEN"], "--port"),
        (["ball.ply", "--data", "."], "is no dataset"),
        (["ball.ply", "--hots", "x"], "--host"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(
    distill3d: Command, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    whole = ball(tmp_path / "ball.ply").read_bytes()
    (tmp_path / "half.ply").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "notes.txt").write_text("nothing to see")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = distill3d("view", *(word.replace("TAKEN", port) for word in arguments))
    assert said.code == 2 and sentence in said.err and said.err.count("\n") == 1, said.err


@contextmanager
def looking(*arguments: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], Talk, str]]:
    """A command that serves pages, a connection to it, and its token; the command ends with the block."""
    from websockets.sync.client import connect

    running = process(*arguments, cwd=cwd)
    assert running.stdout is not None
    try:
        found = next(filter(None, map(re.compile(r"http://(\S+:\d+/)#t=(\S+)").search, running.stdout)))
        with connect(f"ws://{found[1]}ws", max_size=None, proxy=None) as opened:
            yield running, Talk(opened), found[2]
    finally:
        running.kill()
        running.communicate()


@needs_page
def test_two_scenes_of_one_name_are_told_apart_until_ctrl_c(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        ball(tmp_path / name / "ball.ply")
    words = ("view", "--compare", "a/ball.ply", "b/ball.ply", "--no-browser")
    with looking(*words, cwd=tmp_path) as (running, talk, token):
        welcome = talk.hello(token)
        assert [layer["name"] for layer in welcome["layers"]] == ["a/ball.ply", "b/ball.ply"]
        assert welcome["compare"] == [0, 1]
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=120)[1] == "stopped\n" and running.returncode == 0


@needs_page
def test_a_run_is_watched_held_scrubbed_and_stopped_from_the_page(tmp_path: Path) -> None:
    flags = [*TINY[:2], "--steps", "100000", *TINY[4:], "--out", "run", "--view", "--control"]
    with looking("generate", "a red robot", *flags, cwd=tmp_path) as (running, talk, token):
        assert talk.hello(token)["control"] is True

        def run_when(right: Callable[[dict], bool]) -> dict:
            while not right(run := talk.hear_of("run", "problem", timeout=120)):
                assert run["type"] == "run", run
            return run

        run_when(lambda run: len(run["checkpoints"]) > 1)
        talk.say(type="control", run=0, action="pause")
        run = run_when(lambda run: run["state"] == "paused")
        held = [_lines(tmp_path / "run"), time.sleep(0.5), _lines(tmp_path / "run")]
        assert held[0] == held[2], "a run that is held takes no steps"
        talk.say(type="scrub", run=0, step=run["checkpoints"][0])
        while talk.hear_of("layers")["layers"][0]["step"] != run["checkpoints"][0]:
            pass
        talk.say(type="control", run=0, action="resume")
        run_when(lambda run: run["step"] > held[2])
        talk.say(type="control", run=0, action="stop")
        assert "--resume" in run_when(lambda run: run["state"] == "stopped")["sentence"]
        assert "go on with" in running.communicate(timeout=120)[1] and running.returncode == 130
    assert (tmp_path / "run" / "checkpoint.pt").is_file()


def _lines(folder: Path) -> int:
    return len((folder / "metrics.jsonl").read_text().splitlines())


@needs_page
def test_a_run_that_is_looked_at_is_the_same_and_keeps_its_time_line(
    distill3d: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []
    monkeypatch.setattr(_live.Pages, "finished", lambda pages: waited.append(pages.pulse()))
    seen = distill3d("generate", "a red robot", *TINY, "--out", "seen", "--view")
    unseen = distill3d("generate", "a red robot", *TINY, "--out", "unseen")
    assert seen.code == unseen.code == 0 and "watch it at http://127.0.0.1:" in seen.out
    assert waited == [("running", "")] and "http" not in unseen.out
    first, second = (Path(name, "scene.ply").read_bytes() for name in ("seen", "unseen"))
    assert first == second
    assert sorted(p.stem for p in Path("seen", "snapshots").iterdir()) == ["000001", "000006"]
    assert not Path("unseen", "snapshots").exists()


def test_control_needs_a_page(distill3d: Command) -> None:
    said = distill3d("generate", "a red robot", *TINY, "--control")
    assert said.code == 2 and "--view" in said.err


def test_render_follows_a_path_exactly(distill3d: Command, tmp_path: Path) -> None:
    """Frames from a path are those from a transforms.json with the same cameras."""
    ball(tmp_path / "ball.ply")
    keys = [
        {"seconds": s, "position": [3 - s, s, 1.0], "wxyz": [0.5, -0.5, -0.5, 0.5], "fov_y_rad": 0.7}
        for s in (0.0, 1.0)
    ]
    content = {"format": path.FORMAT, "width": 24, "height": 16, "frames_per_second": 3, "keys": keys}
    (tmp_path / "path.json").write_text(json.dumps(content))
    said = distill3d("render", "ball.ply", "--path", "path.json", "--out", "along")
    assert said.code == 0 and "4 pictures of 24 x 16" in said.out
    files.save_cameras(path.load(tmp_path / "path.json").cameras(), tmp_path / "cameras.json")
    assert distill3d("render", "ball.ply", "--cameras", "cameras.json", "--out", "same").code == 0
    along, same = (sorted(Path(name).glob("*.png")) for name in ("along", "same"))
    assert [p.read_bytes() for p in along] == [p.read_bytes() for p in same]
    both = distill3d("render", "ball.ply", "--path", "p.json", "--cameras", "c.json", "--out", "x")
    assert both.code == 2 and "one of them" in both.err
