"""Runs of several stages, looked at as one: one time line, and a layer that changes its kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from distill3d import files
from distill3d.__main__ import main
from distill3d.commands import _live, _results
from distill3d.recipes import magic3d
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.representations.voxels import Voxels
from distill3d.runs import Run
from distill3d.scene import Scene
from distill3d.studio import Pace, Studio
from distill3d.viewer.protocol import Mark
from distill3d.viewer.server import STATIC
from distill3d.viewer.snapshots import Snapshots
from distill3d.viewer.staged import Staged, watch
from tests.viewer.conftest import Serve, talking, talking_to

OPTIONS = {"recipe": "magic3d", "seed": 0}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose first stage, of 40 steps, is over, and whose second has come to step 10 of 20."""
    whole = Run.create(tmp_path / "owl", overwrite=False)
    whole.write_json("run.json", {"command": "generate", "options": OPTIONS})
    stage(whole, "1-field", Voxels.start(resolution=8), steps=40, kept=(1, 40), finished=True)
    stage(whole, "2-mesh", Mesh.start(subdivisions=1), steps=20, kept=(1, 10))
    return whole


def stage(
    whole: Run, name: str, scene: Scene, *, steps: int, kept: tuple[int, ...], finished: bool = False
) -> Run:
    folder = Run.create(whole.path(name), overwrite=False)
    about = {"command": "stage", "scene": files.kind_of(scene), "steps": steps, "options": OPTIONS}
    folder.write_json("run.json", about)
    with folder.metrics(after=0) as metrics:
        for step in range(1, kept[-1] + 1):
            metrics.add(step, loss=1 / step, seconds=0.1 * step)
    for step in kept:
        Snapshots(folder.folder).add(step, steps, scene)
    if finished:
        files.save(scene, folder.path("scene.safetensors"))
        folder.write_json("report.json", {"steps": steps})
    return folder


def test_steps_are_counted_through_and_marks_say_where_stages_begin(run: Run) -> None:
    watched = watch(run.folder)
    standing = watched.look()
    assert (standing.step, standing.steps, standing.state) == (50, 60, "running")
    assert standing.checkpoints == (1, 40, 41, 50)
    assert standing.marks == (Mark(0, "field"), Mark(40, "mesh"))
    assert [line.step for line in watched.lines] == list(range(1, 51))


def test_every_step_of_the_time_line_opens_the_scene_of_its_stage(run: Run) -> None:
    watched = watch(run.folder)
    for step in watched.look().checkpoints:
        path = watched.at(step)
        assert path is not None
        scene, at = watched.open(path)
        assert at == step and files.kind_of(scene) == ("voxels" if step <= 40 else "mesh")
    assert watched.at(45) is None
    newest = watched.newest()
    assert newest is not None and newest.parent.parent.name == "2-mesh"


def test_a_stage_that_is_over_is_shown_until_the_next_has_something_to_show(run: Run) -> None:
    for path in (run.folder / "2-mesh" / "snapshots").iterdir():
        path.unlink()
    watched = watch(run.folder)
    watched.look()
    newest = watched.newest()
    assert newest is not None and newest.name == "scene.safetensors"
    assert watched.open(newest)[1] == 40


def test_a_stage_that_is_no_stage_of_this_run_does_not_count(run: Run) -> None:
    left = Run(run.path("2-mesh"))
    left.write_json("run.json", {**left.read_json("run.json"), "options": {**OPTIONS, "seed": 1}})
    standing = watch(run.folder).look()
    assert standing.marks == (Mark(0, "field"),) and standing.step == 40


def test_a_stage_alone_is_a_run_and_its_checkpoint_knows_its_kind(run: Run) -> None:
    mesh = Run(run.path("2-mesh"))
    watched = watch(mesh.folder)
    assert not isinstance(watched, Staged) and watched.look().steps == 20
    mesh.save_checkpoint(7, 1.0, {"student": Mesh.start(subdivisions=1).state_dict()})
    scene, step = watched.open(mesh.path("checkpoint.pt"))
    assert isinstance(scene, Mesh) and step == 7


def test_a_page_sees_one_layer_that_changes_its_kind(run: Run, serve: Serve) -> None:
    server = serve(run.folder)
    with talking(server) as talk:
        (layer,) = talk.hello(server.token)["layers"]
        assert (layer["kind"], layer["step"]) == ("mesh", 50)
        assert talk.hear_of("run")["marks"] == [{"after": 0, "name": "field"}, {"after": 40, "name": "mesh"}]
        talk.say(type="scrub", run=0, step=40)
        (layer,) = talk.hear_of("layers")["layers"]
        assert (layer["kind"], layer["shown"], layer["step"]) == ("voxels", "frames", 40)
        talk.say(type="scrub", run=0, step=None)
        assert talk.hear_of("layers")["layers"][0]["kind"] == "mesh"
        stage(run, "3-splats", Gaussians.start(count=9), steps=5, kept=(1,))
        (layer,) = talk.hear_of("layers")["layers"]
        assert (layer["kind"], layer["step"]) == ("gaussians", 61)


@pytest.mark.skipif(not (STATIC / "app.js").is_file(), reason="the viewer's page is not built")
def test_generate_with_a_recipe_is_looked_at_through_all_its_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_results.pictures, "write_gif", lambda path, frames: None)
    monkeypatch.setattr(magic3d, "mesh_of", lambda field, resolution: Mesh.start(subdivisions=1))
    seen: list[Any] = []
    through = Studio.stage

    def tiny(self: Studio, name: str, student: Scene, teacher: Any, *, published: Pace, quick: Pace) -> Scene:
        return through(self, name, student, teacher, published=published, quick=Pace(3, 1, 8))

    def finished(pages: _live.Pages) -> None:
        with talking_to(re.findall(r"http://\S+", capsys.readouterr().out)[0]) as (talk, token):
            talk.hello(token)
            while not seen or seen[-1]["step"] < 6 or len(seen[-1]["checkpoints"]) < 4:
                seen.append(talk.hear_of("run"))

    monkeypatch.setattr(Studio, "stage", tiny)
    monkeypatch.setattr(_live.Pages, "finished", finished)
    words = ["generate", "x", "--prior", "blob", "--recipe", "magic3d", "--picture-size", "16"]
    assert main([*words, "--out", "run", "--view"]) == 0
    assert [mark["name"] for mark in seen[-1]["marks"]] == ["field", "mesh"]
    assert seen[-1]["checkpoints"] == [1, 3, 4, 6] and seen[-1]["steps"] == 6
