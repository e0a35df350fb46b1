"""distill3d fit: it leaves a scene and honest numbers, goes on to the same bits, and names what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distill3d import files, plugins
from distill3d.commands._options import presets
from distill3d.commands.fit import GRAMMAR, _build, _resolve
from distill3d.data.dataset import open_dataset
from distill3d.representations.gaussians import Gaussians
from distill3d.teachers.images import Images
from tests.commands.conftest import Said
from tests.data import folders

Run = Callable[..., Said]
TINY = ["--steps", "12", "--picture-size", "24", "--scene.count", "60", "--scene.limit", "90"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders.blender(tmp_path / "data")
    return tmp_path / "data"


def test_a_fit_leaves_a_scene_pictures_and_a_report(distill3d: Run, data: Path) -> None:
    said = distill3d("fit", str(data), *TINY, "--out", "run")
    assert said.code == 0, said.err
    names = {path.name for path in Path("run").iterdir()}
    assert {"scene.ply", "turntable.gif", "comparison.png", "report.json", "run.json"} <= names
    report = json.loads(Path("run/report.json").read_text())
    assert report["steps"] == 12 and report["test_views"] == 9
    assert report["psnr"] > 5 and 0 <= report["ssim"] <= 1
    assert report["primitives"] == len(files.load("run").means)
    assert report["psnr_worst"] <= report["psnr"] and report["psnr_worst_view"].startswith("r_")
    assert report["test_size"] == [24, 20] and report["background"] == [1.0, 1.0, 1.0]
    dataset = open_dataset(data)
    x, y, z = dataset.cameras(dataset.train).centres.unbind(-1)
    above = torch.atan2(z, torch.hypot(x, y)).rad2deg()
    assert report["elevations_deg"] == pytest.approx([float(above.min()), float(above.max())], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "opaque", "colour"),
    [
        ("auto", False, None),
        ("auto", True, (0.0, 0.0, 0.0)),
        ("random", True, None),
        ("white", False, (1.0, 1.0, 1.0)),
    ],
)
def test_what_stands_behind_depends_on_what_can_be_seen_through(
    data: Path, name: str, opaque: bool, colour: tuple[float, ...] | None
) -> None:
    if opaque:
        names = [f"train/r_{i}.png" for i in range(9)]
        folders.write_pictures(data, names, folders.pictures(9)[..., :3])
    options = _resolve(GRAMMAR.from_command_line([str(data), *TINY, "--background", name]))
    teacher = _build(options, None).lesson.teacher
    assert isinstance(teacher, Images) and teacher.background == colour


def test_what_was_learned_over_black_is_judged_over_black(distill3d: Run, data: Path) -> None:
    said = distill3d("fit", str(data), *TINY, "--background", "black", "--out", "run")
    assert said.code == 0, said.err
    assert json.loads(Path("run/report.json").read_text())["background"] == [0.0, 0.0, 0.0]


def test_without_pictures_to_judge_by_there_is_no_judgement(distill3d: Run, data: Path) -> None:
    (data / "transforms_test.json").unlink()
    said = distill3d("fit", str(data), *TINY, "--out", "run")
    assert said.code == 0, said.err
    assert "psnr" not in json.loads(Path("run/report.json").read_text())
    assert "no pictures to judge by" in said.out and "comparison.png" not in said.out


def test_a_longer_fit_is_a_better_one(distill3d: Run, data: Path) -> None:
    """Of photographs that are of one thing."""
    truth = Gaussians.start(count=40, limit=40, radius=0.5, opacity=0.9, seed=3)
    with torch.no_grad():
        truth.sh += torch.rand(40, 1, 3, generator=torch.Generator().manual_seed(0)) * 3 - 1.5
        seen = truth.render(folders.cameras())
    rgba = torch.cat([seen.rgb / seen.alpha.clamp_min(1e-3), seen.alpha], -1).clamp(0, 1)
    for split in ("train", "test"):
        folders.write_pictures(data, [f"{split}/r_{i}.png" for i in range(9)], rgba)
    psnr = []
    for steps in ("5", "150"):
        said = distill3d("fit", str(data), *TINY, "--steps", steps, "--out", steps)
        assert said.code == 0, said.err
        psnr.append(json.loads(Path(steps, "report.json").read_text())["psnr"])
    assert psnr[1] > psnr[0] + 1


def test_a_stopped_fit_goes_on_to_the_same_bits(distill3d: Run, data: Path) -> None:
    flags = [str(data), *TINY, "--checkpoint-every", "5"]
    assert distill3d("fit", *flags, "--out", "whole").code == 0
    assert distill3d("fit", *flags, "--out", "again").code == 0
    run = Path("again")
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    assert state["step"] == 12
    (run / "report.json").unlink()
    (run / "checkpoint.pt").unlink()
    assert distill3d("fit", "--resume", "again").code == 0
    assert Path("whole/scene.ply").read_bytes() == Path("again/scene.ply").read_bytes()


@pytest.mark.parametrize("kind", plugins.menu("representations"))
def test_the_presets_of_every_kind_decide_steps_and_what_it_has_flags_for(kind: str) -> None:
    path = plugins.PACKAGE / "representations" / f"{kind}.py"
    flags = {flag.name for flag in plugins.keywords(path, *GRAMMAR.scene_from)}
    stages = [presets(path)[name] for name in ("quick", "standard", "high")]
    assert 0 < stages[0]["steps"] < stages[1]["steps"] < stages[2]["steps"]
    assert all(set(stage) <= {"steps", "views", "rays", *flags} for stage in stages)
    assert len({frozenset(stage) for stage in stages}) == 1, "a preset decides what the others do"


def test_help_says_what_a_preset_decides_for_the_chosen_scene(distill3d: Run) -> None:
    said = distill3d("fit", "--scene", "surfels", "--preset", "quick", "--help")
    words = " ".join(said.out.replace("│", " ").split())
    assert (
        "for surfels, where nothing is given: quick steps 1500, limit 20000 standard steps 5000, limit 30000"
        in words
    )
    assert "after growing (default: 20000)" in words


def test_a_run_that_is_repeated_with_another_preset_has_that_presets_steps(
    distill3d: Run, data: Path
) -> None:
    assert distill3d("fit", str(data), *TINY, "--preset", "quick", "--out", "run").code == 0
    options = GRAMMAR.from_command_line(["--again", "run/run.json", "--preset", "high"])
    assert options.steps == 0 and options.preset == "high"
    kept = GRAMMAR.from_command_line(["--again", "run/run.json"])
    assert kept.steps == 12 and kept.scene_options.limit == 90


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no dataset was given"),
        (["nowhere"], "nowhere is not a folder"),
        (["data", "--downscale", "0"], "--downscale is 0"),
        (["data", "--downscale", "1000"], "downscale 1000"),
        (["data", "--steps", "-1"], "--steps is -1"),
        (["data", "--scene", "gausians"], 'unknown scene "gausians"; did you mean gaussians'),
        (["data", "--preset", "fast"], "fast"),
    ],
)
def test_mistakes_get_a_sentence(
    distill3d: Run, data: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    arguments = [str(data) if word == "data" else word for word in arguments]
    said = distill3d("fit", *arguments)
    assert said.code == 2 and sentence in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not Path("runs").exists()


def test_masks_that_leave_nothing_are_a_sentence(distill3d: Run, tmp_path: Path) -> None:
    folders.colmap(tmp_path / "scene")
    (tmp_path / "scene" / "masks").mkdir()
    black = folders.pictures(9)[..., :3] * 0
    folders.write_pictures(tmp_path / "scene" / "masks", [f"{i:03d}.png" for i in range(9)], black)
    said = distill3d("fit", str(tmp_path / "scene"), "--steps", "2")
    assert said.code == 2 and "are black all over; expected white" in said.err
    assert not Path("runs").exists()


def test_the_run_of_another_command_is_not_taken_up(distill3d: Run, data: Path) -> None:
    assert distill3d("fit", str(data), *TINY, "--out", "run").code == 0
    said = distill3d("generate", "--again", "run/run.json")
    assert said.code == 2 and "expected the run.json of a distill3d generate" in said.err
