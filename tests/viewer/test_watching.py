"""Runs: their time line, their numbers, and what a page sees of one that goes on elsewhere."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from distill3d import commands, files
from distill3d.errors import UserError
from distill3d.representations.gaussians import Gaussians
from distill3d.runs import Run
from distill3d.viewer.snapshots import KEPT, Snapshots
from distill3d.viewer.sources import set_stage
from distill3d.viewer.watching import DOING, MOST_LINES, Watched
from tests.viewer.conftest import Serve, camera_json, talking

COMMANDS = Path(*commands.__path__)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of 400 steps that has come to step 120 and keeps snapshots."""
    run = Run.create(tmp_path / "teapot", overwrite=False)
    run.write_json("run.json", {"command": "generate", "options": {"steps": 400, "scene": "gaussians"}})
    with run.metrics(after=0) as metrics:
        for step in range(1, 121):
            metrics.add(step, loss=1 / step, sharpness=0.5, seconds=0.1 * step)
    for step in (1, 60, 120):
        Snapshots(run.folder).add(step, 400, scene(step))
    return run


def scene(step: int) -> Gaussians:
    """Gaussians that are told from those of other steps by their number."""
    return Gaussians.start(count=step + 10)


def test_the_newest_snapshot_stays_and_older_ones_make_an_even_time_line(tmp_path: Path) -> None:
    kept, steps = Snapshots(tmp_path), 4000
    for step in range(1, steps, 35):
        kept.add(step, steps, scene(1))
        assert list(kept.paths())[-1] == step
    found = list(kept.paths())
    assert KEPT <= len(found) <= KEPT + 2
    assert max(b - a for a, b in pairwise(found)) <= 2 * steps // KEPT


def test_a_run_that_goes_back_forgets_what_lay_beyond(run: Run) -> None:
    Snapshots(run.folder).cut(60)
    assert list(Snapshots(run.folder).paths()) == [1, 60]
    Run.create(run.folder, overwrite=True)
    assert Snapshots(run.folder).paths() == {}


def test_numbers_are_read_once_and_torn_lines_when_they_are_whole(run: Run) -> None:
    watched = Watched(run.folder)
    assert watched.look().step == 120 and watched.lines[-1].parts == {"sharpness": 0.5}
    with run.path("metrics.jsonl").open("a") as file:
        file.write('{"step": 121, "loss": NaN, "seconds": 12.1}\n{"step": 12')
        file.flush()
        assert watched.look().step == 121
        assert watched.lines[-1].loss is None
        file.write('2, "loss": 0.1, "seconds": 12.2}\nnonsense\n')
    assert watched.look().step == 122 and len(watched.lines) == 122
    with run.metrics(after=60):
        pass
    assert watched.look().step == 60


def test_a_long_history_is_thinned_and_ends_with_its_last_step(run: Run) -> None:
    with run.metrics(after=0) as metrics:
        for step in range(1, 5 * MOST_LINES + 2):
            metrics.file.write(json.dumps({"step": step, "loss": 0.1, "seconds": 1.0}) + "\n")
    watched = Watched(run.folder)
    watched.look()
    assert len(watched.lines) <= MOST_LINES and watched.lines[-1].step == 5 * MOST_LINES + 1
    gaps = {b.step - a.step for a, b in pairwise(watched.lines[:-1])}
    assert len(gaps) == 1


def test_every_command_that_trains_has_a_word_for_what_it_does() -> None:
    training = {path.stem for path in COMMANDS.glob("[a-z]*.py") if "Command(GRAMMAR" in path.read_text()}
    assert training == set(DOING)


def test_a_page_sees_where_a_run_stands_and_follows_it(run: Run, serve: Serve) -> None:
    server = serve(run.folder)
    with talking(server) as talk:
        (layer,) = talk.hello(server.token)["layers"]
        assert (layer["step"], layer["primitives"], layer["run"]) == (120, 130, 0)
        standing = talk.hear_of("run")
        assert (standing["state"], standing["doing"]) == ("running", "Generating")
        assert (standing["step"], standing["steps"]) == (120, 400)
        assert standing["checkpoints"] == [1, 60, 120]
        lines = talk.hear_of("metrics")["lines"]
        assert [line["step"] for line in lines] == list(range(1, 121))
        Snapshots(run.folder).add(140, 400, scene(140))
        (layer,) = talk.hear_of("layers")["layers"]
        assert (layer["step"], layer["primitives"]) == (140, 150)
        run.write_json("report.json", {"psnr": 31.5, "ssim": 0.97})
        files.save(scene(400), run.path("scene.ply"))
        (layer,) = talk.hear_of("layers")["layers"]
        assert (layer["step"], layer["psnr"], layer["ssim"]) == (None, 31.5, 0.97)


def test_scrubbing_shows_the_scene_as_it_was(run: Run, serve: Serve) -> None:
    server = serve(run.folder)
    with talking(server) as talk:
        first = talk.hello(server.token)["layers"][0]["asset"]
        talk.say(type="scrub", run=0, step=60)
        (layer,) = talk.hear_of("layers")["layers"]
        assert (layer["step"], layer["primitives"]) == (60, 70) and layer["asset"] != first
        talk.say(type="scrub", run=0, step=61)
        assert "61" in talk.hear_of("problem")["sentence"]
        talk.say(type="scrub", run=0, step=None)
        assert talk.hear_of("layers")["layers"][0]["step"] == 120


def test_a_run_can_only_be_watched_unless_it_was_started_to_be_steered(run: Run, serve: Serve) -> None:
    server = serve(run.folder)
    with talking(server) as talk:
        assert talk.hello(server.token)["control"] is False
        talk.say(type="control", run=0, action="stop")
        assert "--control" in talk.hear_of("problem")["sentence"]


def test_a_folder_that_vanishes_is_told_and_what_was_read_stays(run: Run, serve: Serve) -> None:
    server = serve(run.folder)
    with talking(server) as talk:
        talk.hello(server.token)
        shutil.rmtree(run.folder)
        assert "is gone" in talk.hear_of("problem")["sentence"]
        seq = talk.ask_frame(moving=True)
        assert talk.hear_bytes()[0].seq == seq


def test_a_snapshot_that_is_damaged_is_told_and_the_next_one_shown(run: Run, serve: Serve) -> None:
    server = serve(run.folder)
    with talking(server) as talk:
        talk.hello(server.token)
        (run.folder / "snapshots" / "000130.safetensors").write_bytes(b"half a file")
        assert "000130" in talk.hear_of("problem")["sentence"]
        Snapshots(run.folder).add(140, 400, scene(140))
        assert talk.hear_of("layers")["layers"][0]["step"] == 140


def test_a_run_without_a_view_shows_its_last_checkpoint(run: Run, serve: Serve) -> None:
    shutil.rmtree(run.folder / "snapshots")
    with pytest.raises(UserError, match="no scene yet"):
        serve(run.folder)
    run.save_checkpoint(100, 9.0, {"student": scene(100).state_dict()})
    for path in (run.folder, run.path("checkpoint.pt")):
        server = serve(path)
        with talking(server) as talk:
            (layer,) = talk.hello(server.token)["layers"]
            assert (layer["step"], layer["primitives"]) == (100, 110)


def test_what_is_not_finite_stays_in_its_place_and_is_told(tmp_path: Path, serve: Serve) -> None:
    broken = scene(10)
    with torch.no_grad():
        broken.means[3, 1] = torch.nan
    files.save(broken, tmp_path / "broken.ply")
    server = serve(tmp_path / "broken.ply")
    with talking(server) as talk:
        (layer,) = talk.hello(server.token)["layers"]
        assert layer["primitives"] == 20 and all(abs(x) < 1 for x in layer["centre"])
        assert "1 of its primitives" in talk.hear_of("problem")["sentence"]
        talk.ask_frame(camera=camera_json(), moving=True)
        assert talk.hear_bytes()[0].width > 0


def test_a_conversion_alone_stands_beside_what_it_has_copied(tmp_path: Path) -> None:
    files.save(scene(5), tmp_path / "source.ply")
    copy = Run.create(tmp_path / "copy", overwrite=False)
    about = {"source": str(tmp_path / "source.ply"), "to": "gaussians", "steps": 1}
    copy.write_json("run.json", {"command": "convert", "options": about})
    files.save(scene(3), copy.path("scene.ply"))
    copy.write_json("report.json", {"psnr_vs_source": 31.5, "ssim_vs_source": 0.97})
    stage = set_stage([copy.folder]).stage
    assert [entry.name for entry in stage.entries] == ["source.ply", "copy"] and stage.compare == (0, 1)
    assert (stage.entries[1].psnr, stage.entries[1].ssim) == (31.5, 0.97)
    (tmp_path / "source.ply").unlink()
    alone = set_stage([copy.folder]).stage
    assert len(alone.entries) == 1 and alone.compare == ()
