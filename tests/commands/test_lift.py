"""distill3d lift: what it leaves behind, that it goes on and can be repeated, and what it refuses."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from distill3d import files
from distill3d.__main__ import main
from distill3d.camera import turntable
from distill3d.commands.lift import GRAMMAR, _resolve
from distill3d.conversions.moved import moved
from distill3d.representations._primitives import Primitives
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.representations.voxels import Voxels
from distill3d.viewer.meaning import Features, meaning_of
from distill3d.viewer.properties import properties_of
from tests.commands.conftest import Said, process

Run = Callable[..., Said]
CASTLE = Path(__file__).parents[2] / "scenes" / "castle.ply"
KNOWN = ["--features.prompt", "a castle", "--features.instance", "0"]
FEW = [*KNOWN, "--views", "4", "--size", "32", "--refine", "2", "--picture-size", "24"]


@pytest.fixture(scope="module")
def lifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lifting to the castle."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["lift", str(CASTLE), *FEW, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def ball(tmp_path: Path) -> str:
    """A few Gaussians, which are taken for a castle."""
    files.save(Gaussians.start(count=60, opacity=0.9), tmp_path / "ball.ply")
    return str(tmp_path / "ball.ply")


def columns(path: str) -> dict[str, torch.Tensor]:
    scene = files.load(path)
    assert isinstance(scene, Primitives)
    return dict(scene.extra.named_buffers())


def test_a_lifting_leaves_features_their_words_pictures_and_a_report(lifted: Path) -> None:
    assert {path.name for path in lifted.iterdir()} == {
        *("run.json", "metrics.jsonl", "checkpoint.pt", "report.json"),
        *("scene.safetensors", "scene.words.json", "turntable.gif", "turntable.png"),
    }
    report = json.loads((lifted / "report.json").read_text())
    numbers = (report["views"], report["primitives"], report["channels"], report["map"])
    assert numbers == (4, 12000, 9, [32, 32])
    assert 0 < report["residual"] < 1 and 0 < report["seen"] < 1 and 0 < report["reliability"] <= 1
    assert report["part_accuracy"] > 0.8 and report["angle_deg_of_maps"] < 15
    assert report["bytes"] == (lifted / "scene.safetensors").stat().st_size
    lines = [json.loads(line) for line in (lifted / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 7)) and lines[5]["loss"] == report["residual"]
    with Image.open(lifted / "turntable.gif") as gif:
        assert gif.size == (48, 24)


def test_the_viewer_finds_in_a_lifted_scene_what_is_asked_for(lifted: Path) -> None:
    path = lifted / "scene.safetensors"
    scene = files.load(path)
    meaning = meaning_of(scene, path)
    assert isinstance(meaning, Features) and isinstance(scene, Primitives)
    parts = json.loads(CASTLE.with_name("castle.parts.json").read_text())
    truth = torch.tensor(parts["part"]) == parts["labels"].index("roofs")
    seen = meaning.vectors.norm(dim=1) > 0
    heat = meaning.like_words("the roofs")
    assert heat[truth & seen].mean() > 0.5 and heat[~truth & seen].mean() < 0.1
    labels = [known.label for known in properties_of(scene, meaning)]
    assert labels[2:4] == ["features", "reliability"]


def test_all_but_the_columns_is_as_it_was(lifted: Path) -> None:
    before, after = files.load(CASTLE).state_dict(), files.load(lifted).state_dict()
    assert set(after) - set(before) == {"extra.features", "extra.reliability"}
    assert all(torch.equal(after[name], values) for name, values in before.items())


@pytest.mark.parametrize("kind", [Gaussians, Surfels])
def test_maps_in_a_folder_are_lifted_to_what_they_are_of(distill3d: Run, kind: type) -> None:
    """Maps that say of every picture which side of the scene it is from, and words for the sides."""
    files.save(kind.start(count=200, opacity=0.9), "ball.safetensors")
    assert (
        distill3d("render", "ball.safetensors", "--out", "frames", "--turntable", "4", "--size", "16").code
        == 0
    )
    for view in range(4):
        np.save(f"frames/{view:04d}.npy", np.eye(4)[[[view] * 4] * 4])
    words = {"words": {side: list(np.eye(4)[i]) for i, side in enumerate(("front", "left", "back", "right"))}}
    Path("frames/words.json").write_text(json.dumps(words))
    said = distill3d("lift", "ball.safetensors", "--features", "maps", "--features.folder", "frames",
                     "--refine", "0", "--picture-size", "16", "--out", "run")  # fmt: skip
    assert said.code == 0, said.err
    path = Path("run/scene.safetensors")
    scene = files.load(path)
    meaning = meaning_of(scene, path)
    assert isinstance(scene, Primitives) and meaning is not None
    outer = scene.means.detach().norm(dim=1) > 0.6
    front, back = (
        meaning.like_words(word)[outer & (meaning.like_words(word) > 0.95)] for word in ("front", "back")
    )
    assert len(front) > 3 and len(back) > 3
    at = scene.means.detach()[outer]
    assert at[meaning.like_words("front")[outer] > 0.95, 0].mean() > 0.3
    assert at[meaning.like_words("left")[outer] > 0.95, 1].mean() > 0.3
    report = json.loads(Path("run/report.json").read_text())
    assert report["words"] == ["back", "front", "left", "right"] and "part_miou" not in report


def test_a_scene_far_from_the_origin_is_lifted_to_and_pictured_there(distill3d: Run) -> None:
    """Its cameras stand where it was made."""
    moving = torch.tensor([[3.0, 0, 0, 9], [0, 3, 0, 0], [0, 0, 3, -2], [0, 0, 0, 1]], dtype=torch.float64)
    files.save(moved(Gaussians.start(count=100, radius=0.5, opacity=0.9), moving), "far.ply")
    cameras = turntable(2, width=8, height=8)
    for view in range(2):
        np.save(f"{view:04d}.npy", np.ones((8, 8, 3)))
    given = ["lift", "far.ply", "--features", "maps", "--features.folder", ".", "--picture-size", "32"]
    files.save_cameras(cameras, "transforms.json")
    assert distill3d(*given, "--out", "seen").code == 0
    with Image.open("seen/turntable.gif") as gif:
        pixels = np.asarray(gif.convert("L"), dtype=float)[:, :32]
    assert 0.3 < (abs(pixels - pixels[0, 0]) > 8).mean() < 0.95
    away = cameras.world_to_camera + torch.tensor([[0, 0, 0, 99.0], *[[0] * 4] * 3])
    files.save_cameras(replace(cameras, world_to_camera=away), "transforms.json")
    said = distill3d(*given, "--out", "unseen")
    assert said.code == 2 and "none of the 2 pictures shows anything of the scene" in said.err


def test_the_run_that_made_a_scene_says_what_it_shows(distill3d: Run, ball: str) -> None:
    """So does the run whose scene it was made of."""
    for name, options in {"robot": {"prompt": "a red robot"}, "copy": {"source": "robot"}}.items():
        Path(name).mkdir()
        Path(name, "scene.ply").write_bytes(Path(ball).read_bytes())
        Path(name, "run.json").write_text(json.dumps({"options": options}))
        settings = _resolve(GRAMMAR.from_command_line([name])).features_options
        assert (settings.prompt, settings.instance) == ("a red robot", -1)
    Path("robot/report.json").write_text(json.dumps({"world": {"instance": 3, "rotation_deg": 12.0}}))
    for name in ("robot", "copy"):
        settings = _resolve(GRAMMAR.from_command_line([name])).features_options
        assert (settings.prompt, settings.instance, settings.turned_deg) == ("a red robot", 3, 12)
    given = ["robot", "--features.prompt", "a mug"]
    assert _resolve(GRAMMAR.from_command_line(given)).features_options.instance == -1


def test_a_repetition_gives_the_same_and_other_flags_change_it(distill3d: Run, ball: str) -> None:
    noisy = [*FEW, "--features.noise", "0.5", "--features.channels", "8"]
    assert distill3d("lift", ball, *noisy, "--out", "first").code == 0
    assert distill3d("lift", "--again", "first/run.json", "--out", "second").code == 0
    changed = ["--views", "3", "--seed", "1", "--out", "third"]
    assert distill3d("lift", "--again", "first/run.json", *changed).code == 0
    first, second, third = (columns(name)["features"] for name in ("first", "second", "third"))
    assert torch.equal(first, second) and not torch.equal(first, third)
    assert len(Path("third/metrics.jsonl").read_text().splitlines()) == 5


def test_a_lifting_that_is_stopped_goes_on_to_the_same_bits(
    distill3d: Run, tmp_path: Path, ball: str
) -> None:
    more = [*FEW, "--views", "16", "--features.noise", "0.3"]
    stopped = process("lift", ball, *more, "--out", "stopped", cwd=tmp_path)
    metrics = tmp_path / "stopped" / "metrics.jsonl"
    while not metrics.is_file() or len(metrics.read_text().splitlines()) < 3:
        assert stopped.poll() is None, stopped.communicate()
        time.sleep(0.01)
    stopped.send_signal(signal.SIGINT)
    out, err = stopped.communicate(timeout=120)
    assert stopped.returncode == 130, (out, err)
    assert "go on with: distill3d lift --resume stopped" in err
    assert not (tmp_path / "stopped" / "report.json").exists()
    assert distill3d("lift", "--resume", "stopped").code == 0
    assert distill3d("lift", ball, *more, "--out", "whole").code == 0
    for name, values in columns("whole").items():
        assert torch.equal(columns("stopped")[name], values)
    assert len(Path("stopped/metrics.jsonl").read_text().splitlines()) == 18


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no scene was given; expected a file or a run's folder: distill3d lift SCENE"),
        (["nowhere"], "nowhere is not there; expected a file of Gaussians or surfels, or a run's folder"),
        (["field.safetensors", *FEW], "convert field.safetensors --to gaussians"),
        (["ball.ply"], "nothing says what the scene shows"),
        (["ball.ply", "--features.prompt", "a submarine"], 'unknown word "submarine"'),
        (["ball.ply", "--features", "mapps"], 'unknown features "mapps"; did you mean maps'),
        (["ball.ply", "--features", "maps"], "no folder was given; expected --features.folder"),
        (["ball.ply", "--features", "maps", "--features.folder", "."], ". has no transforms.json"),
        (["ball.ply", "--features", "maps", "--features.rays", "0"], "maps with 0 rays"),
        (["ball.ply", "--features.swapped", "1.5"], "expected lengths of 0 or more, and a share"),
        (["ball.ply", "--views", "0"], "--views is 0"),
        (["ball.ply", "--refine", "-1"], "--refine is -1"),
        (["ball.ply", "--damping", "0"], "--damping is 0; expected more than 0"),
        (
            ["ball.ply", "--size", "30", "--features.patch", "4", *KNOWN],
            "--size 30 is not made of patches of 4",
        ),
        (["ball.ply", "--steps", "4"], 'unknown flag "--steps"'),
        (["ball.ply", "--control", *KNOWN], "--control steers a run from the page that --view opens"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    distill3d: Run, ball: str, arguments: list[str], sentence: str
) -> None:
    files.save(Voxels.start(resolution=8), "field.safetensors")
    said = distill3d("lift", *arguments)
    assert said.code == 2 and said.out == ""
    assert sentence in said.err.replace(str(Path.cwd()) + "/", "") and said.err.count("\n") == 1
    assert not Path("runs").exists()


def test_help_shows_the_flags_of_the_features_that_were_chosen(distill3d: Run) -> None:
    parts, maps = distill3d("lift", "--help").out, distill3d("lift", "--features=maps", "--help").out
    assert "--features.prompt" in parts and "--features.folder" in maps and "--features.prompt" not in maps
    assert "--steps" not in parts
