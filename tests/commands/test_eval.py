"""distill3d eval: against photographs, against another scene, and the mistakes one can make."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from distill3d import files
from distill3d.camera import turntable
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.representations.voxels import Voxels
from tests.commands.conftest import Said
from tests.data import folders

Run = Callable[..., Said]
BLENDER_REACH = 1.5


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Blender folder whose photographs are of the scene in truth.ply."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scene = Gaussians.start(count=60, limit=60, radius=0.4, opacity=0.9, seed=3)
    with torch.no_grad():
        scene.sh += torch.rand(60, 1, 3, generator=torch.Generator().manual_seed(0)) * 3 - 1.5
        seen = scene.render(folders.blender(tmp_path / "data"))
    straight = torch.cat([seen.rgb / seen.alpha.clamp_min(1e-3), seen.alpha], -1).clamp(0, 1)
    for split in ("train", "test"):
        folders.write_pictures(tmp_path / "data", [f"{split}/r_{i}.png" for i in range(9)], straight)
    files.save(scene, tmp_path / "truth.ply")
    return tmp_path / "data"


def ours(scene: Path) -> Path:
    """The scene in our world, where Blender's subject is in the unit ball."""
    state = files.load(scene).state_dict()
    state["means"] /= BLENDER_REACH
    state["log_scales"] -= torch.log(torch.tensor(BLENDER_REACH))
    files.save(Gaussians.from_state(state), scene.with_name("ours.ply"))
    return scene.with_name("ours.ply")


def test_a_scene_scores_high_on_its_own_photographs(distill3d: Run, data: Path) -> None:
    said = distill3d("eval", ours(Path("truth.ply")), data, "--out", "n.json", "--picture", "p.png")
    assert said.code == 0, said.err
    numbers = json.loads(said.out)
    assert numbers == json.loads(Path("n.json").read_text())
    assert numbers["psnr"] >= numbers["psnr_worst"] > 40 and numbers["ssim"] > 0.99
    assert numbers["psnr_worst_view"] in {f"r_{i}.png" for i in range(9)}
    assert (numbers["pictures"], numbers["width"], numbers["height"]) == (9, 24, 20)
    assert numbers["seconds_per_picture"] > 0
    with Image.open("p.png") as picture:
        assert picture.width > 6 * 220


def test_a_scene_of_another_program_stands_in_the_datasets_world(distill3d: Run, data: Path) -> None:
    as_fitted = json.loads(distill3d("eval", "truth.ply", data).out)
    as_it_stands = json.loads(distill3d("eval", "truth.ply", data, "--frame", "dataset").out)
    assert as_it_stands["psnr"] > 40 > 25 > as_fitted["psnr"]


def test_the_worst_view_is_the_one_that_was_painted_over(distill3d: Run, data: Path) -> None:
    Image.new("RGBA", (24, 20), (255, 0, 0, 255)).save(data / "test" / "r_5.png")
    numbers = json.loads(distill3d("eval", "truth.ply", data, "--frame", "dataset").out)
    assert numbers["psnr_worst_view"] == numbers["ssim_worst_view"] == "r_5.png"
    assert numbers["psnr_worst"] < 15 < numbers["psnr"]
    train = json.loads(distill3d("eval", "truth.ply", data, "--frame", "dataset", "--split", "train").out)
    assert train["psnr_worst"] > 40


def test_photographs_are_made_smaller(distill3d: Run, data: Path) -> None:
    numbers = json.loads(distill3d("eval", "truth.ply", data, "--frame", "dataset", "--downscale", 2).out)
    assert (numbers["width"], numbers["height"]) == (12, 10)


def test_a_fits_folder_knows_its_dataset(distill3d: Run, data: Path) -> None:
    flags = ["--steps", "4", "--picture-size", "16", "--scene.count", "60", "--downscale", "2"]
    assert distill3d("fit", data, *flags, "--out", "run").code == 0
    said = distill3d("eval", "run")
    assert said.code == 0, said.err
    numbers, report = json.loads(said.out), json.loads(Path("run/report.json").read_text())
    assert numbers["width"] == 12 and numbers["pictures"] == 9
    assert numbers["psnr"] == pytest.approx(report["psnr"], abs=1e-3)


def test_two_scenes_are_compared_from_given_cameras(distill3d: Run, data: Path) -> None:
    files.save_cameras(turntable(2, width=30, height=20), "c.json")
    flags = ("--cameras", "c.json", "--resolution", 0, "--picture", "p.png")
    said = distill3d("eval", "truth.ply", "--against", ours(Path("truth.ply")), *flags)
    assert said.code == 0, said.err
    numbers = json.loads(said.out)
    assert (numbers["pictures"], numbers["width"], numbers["height"]) == (2, 30, 20)
    assert "chamfer" not in numbers and 0 < numbers["depth_error"] < 0.2
    assert Path("p.png").is_file()


def test_scenes_of_two_kinds_have_a_chamfer_distance(distill3d: Run) -> None:
    """A ball of voxels against a larger ball that is a mesh."""
    line = torch.linspace(-1, 1, 25)
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    density = 200 * (0.5 - torch.stack([x, y, z]).norm(dim=0))
    grey, flat = torch.zeros(25, 25, 25, 3), torch.zeros(25, 25, 25, 0)
    files.save(Voxels(density, grey, flat, samples=64), "voxels.safetensors")
    files.save(Mesh.start(radius=0.6, smoothness=0.0), "mesh.safetensors")
    said = distill3d(
        "eval", "voxels.safetensors", "--against", "mesh.safetensors", "--resolution", 24, "--size", 24
    )
    assert said.code == 0, said.err
    numbers = json.loads(said.out)
    assert numbers["chamfer"] == pytest.approx(0.1, abs=0.03)
    assert numbers["iou"] == pytest.approx((0.5 / 0.6) ** 3, abs=0.08)
    assert numbers["normal_error_deg"] < 20, "a coarse grid's"


def test_a_scene_against_itself_and_against_another(distill3d: Run, data: Path) -> None:
    files.save(Gaussians.start(count=50, limit=50, seed=0), "cloud.ply")
    flags = ("--size", 32, "--resolution", 16)
    same = json.loads(distill3d("eval", "truth.ply", "--against", "truth.ply", *flags).out)
    other = json.loads(distill3d("eval", "truth.ply", "--against", "cloud.ply", *flags).out)
    assert same["psnr"] == 100, "as many dB as the measure has"
    assert same["iou"] == 1 and same["chamfer"] < 1e-6 and same["depth_error"] == same["alpha_error"] == 0
    assert 0 < other["psnr"] < 25


@pytest.mark.slow
def test_a_ball_is_measured_against_the_world(distill3d: Run) -> None:
    files.save(Mesh.start(radius=0.6, smoothness=0.0), "ball.safetensors")
    flags = ("--prompt", "a red ball", "--instances", 1, "--picture", "p.png")
    said = distill3d("eval", "ball.safetensors", *flags)
    assert said.code == 0, said.err
    numbers = json.loads(said.out)
    assert numbers["faces"] is None and 0 < numbers["iou"] < 1 and numbers["psnr"] > 5
    assert Path("p.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.ply"], "nowhere.ply"),
        (["truth.ply"], "has no prompt and no dataset"),
        (["truth.ply", "--prompt", "a red blal"], "blal"),
        (["truth.ply", "nowhere"], "nowhere is not a folder"),
        (["truth.ply", "data", "--against", "truth.ply"], "DATA and --against were given"),
        (["truth.ply", "data", "--prompt", "a cat"], "DATA and --prompt were given"),
        (["truth.ply", "--cameras", "c.json"], "--cameras was given without --against"),
        (["truth.ply", "data", "--downscale", "-1"], "--downscale is -1"),
        (["truth.ply", "data", "--downscale", "100"], "downscale 100"),
        (["truth.ply", "data", "--picture", "p.gif"], "ends in .png"),
        (["truth.ply", "--against", "truth.ply", "--resolution", "3"], "--resolution is 3"),
        (["truth.ply", "--against", "nowhere.ply"], "nowhere.ply"),
    ],
)
def test_mistakes_get_a_sentence(distill3d: Run, data: Path, arguments: list[str], sentence: str) -> None:
    said = distill3d("eval", *arguments)
    assert said.code == 2 and sentence in said.err and said.out == ""
    assert len(said.err.strip().splitlines()) == 1
