"""A fit knows the world of its dataset: it goes back there, and is judged there, by any road."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from distill3d import files
from distill3d.camera import Cameras
from distill3d.data.dataset import open_dataset
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.rotation import matrix_from_wxyz
from distill3d.scene import Scene
from tests.commands.conftest import Said
from tests.data import folders
from tests.representations.small import start

Run = Callable[..., Said]
TINY = ["--steps", "12", "--picture-size", "16", "--scene.count", "60", "--scene.opacity", "0.6"]
SCALE, SHIFT = 2.5, torch.tensor([4.0, -7.0, 0.5], dtype=torch.float64)


def similarity() -> torch.Tensor:
    """From the world in which the tests' datasets are made to one that is tilted, larger and elsewhere."""
    matrix = torch.eye(4, dtype=torch.float64)
    turn = matrix_from_wxyz(torch.tensor([0.6, 0.5, -0.3, 0.2], dtype=torch.float64))
    matrix[:3, :3], matrix[:3, 3] = SCALE * turn, SHIFT
    return matrix


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of nerfstudio's layout in that world."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders.nerfstudio(tmp_path / "data")
    listed = tmp_path / "data" / "transforms.json"
    content = json.loads(listed.read_text())
    for frame in content["frames"]:
        pose = similarity() @ torch.tensor(frame["transform_matrix"], dtype=torch.float64)
        pose[:3, :3] /= SCALE
        frame["transform_matrix"] = pose.tolist()
    listed.write_text(json.dumps(content))
    return tmp_path / "data"


def raw_cameras(data: Path) -> Cameras:
    """The cameras as the dataset gives them."""
    frames = open_dataset(data).train
    poses = torch.stack([frame.camera_to_world for frame in frames])
    intrinsics = torch.tensor([frame.intrinsics for frame in frames])
    return Cameras(torch.linalg.inv(poses).float(), intrinsics, frames[0].width, frames[0].height)


@torch.no_grad()
def seen(scene: Scene, cameras: Cameras) -> torch.Tensor:
    return scene.render(cameras).rgb


@pytest.mark.parametrize("kind", ["gaussians", "surfels"])
@pytest.mark.parametrize("suffix", [".ply", ".safetensors"])
def test_from_the_datasets_own_cameras_it_shows_there_what_it_shows_here(
    distill3d: Run, data: Path, kind: str, suffix: str
) -> None:
    assert distill3d("fit", data, "--scene", kind, *TINY, "--out", "run").code == 0
    here = f"here{suffix}"
    for arguments in (["run", "--out", here], [here, "--out", f"there{suffix}", "--frame", "source"]):
        said = distill3d("export", *arguments)
        assert said.code == 0, said.err
    dataset, there = open_dataset(data), files.load(f"there{suffix}")
    assert_close(files.load(here).scene_transform, dataset.scene_transform, rtol=1e-12, atol=1e-12)
    assert not there.knows_source, "it is there"
    expected = seen(files.load("run"), dataset.cameras(dataset.train))
    assert expected.std() > 0.05
    assert_close(seen(there, raw_cameras(data)), expected, rtol=0, atol=2e-4)


def test_a_way_around_by_another_frame_leads_to_the_same_place(distill3d: Run) -> None:
    scene = start("gaussians")
    scene.scene_transform.copy_(similarity())
    files.save(scene, "scene.ply")
    distill3d("export", "scene.ply", "--out", "straight.ply", "--frame", "source")
    distill3d("export", "scene.ply", "--out", "turned.ply", "--frame", "y-down")
    distill3d("export", "turned.ply", "--out", "around.ply", "--frame", "source")
    straight, around = (files.load(f"{name}.ply").state_dict() for name in ("straight", "around"))
    assert_close(around["means"], straight["means"])
    back = straight["means"].double() @ similarity()[:3, :3].T + SHIFT
    assert_close(back.float(), scene.state_dict()["means"], rtol=0, atol=1e-5)


def test_it_is_judged_by_its_own_way_and_not_by_another_datasets(distill3d: Run, data: Path) -> None:
    """Fewer photographs are of the same world, but make another similarity to ours."""
    assert distill3d("fit", data, *TINY, "--out", "run").code == 0
    assert distill3d("export", "run", "--out", "there.ply", "--frame", "source").code == 0
    listed = data / "transforms.json"
    content = json.loads(listed.read_text())
    before = open_dataset(data).scene_transform
    listed.write_text(json.dumps(content | {"frames": content["frames"][:4]}))
    assert (open_dataset(data).scene_transform - before).abs().max() > 0.05
    here = json.loads(distill3d("eval", "run/scene.ply", data, "--background", "white").out)
    there = distill3d("eval", "there.ply", data, "--frame", "dataset", "--background", "white")
    assert here["psnr"] == pytest.approx(json.loads(there.out)["psnr"], abs=1e-3)


@pytest.mark.parametrize("suffix", [".ply", ".glb"])
def test_a_mesh_goes_there_too(distill3d: Run, suffix: str) -> None:
    """A ball here is a ball there, with its own centre and radius; opened, a .glb is upright again."""
    scene = Mesh.start(subdivisions=2, radius=0.5, smoothness=0.0)
    scene.scene_transform.copy_(similarity())
    files.save(scene, "ball.safetensors")
    said = distill3d("export", "ball.safetensors", "--out", f"there{suffix}", "--frame", "source")
    assert said.code == 0, said.err
    there = files.load(f"there{suffix}")
    assert isinstance(there, Mesh)
    back = similarity()[:3, :3] @ there.vertices().double().T + SHIFT[:, None]
    assert_close(back.T.float(), scene.vertices(), rtol=0, atol=1e-5)


def test_gaussians_become_a_mesh_here_and_then_go_there(distill3d: Run) -> None:
    """Here they are in the unit ball, in which the mesh is looked for."""
    scene = Gaussians.start(count=400, limit=400, radius=0.5, opacity=0.95)
    scene.scene_transform.copy_(similarity())
    files.save(scene, "scene.ply")
    flags = ("--mesh", "--resolution", 24)
    assert distill3d("export", "scene.ply", "--out", "here.ply", *flags).code == 0
    assert distill3d("export", "scene.ply", "--out", "there.ply", *flags, "--frame", "source").code == 0
    here, there = (files.load(f"{name}.ply") for name in ("here", "there"))
    assert isinstance(here, Mesh) and isinstance(there, Mesh)
    back = similarity()[:3, :3] @ there.vertices().double().T + SHIFT[:, None]
    assert_close(back.T.float(), here.vertices(), rtol=0, atol=1e-5)


def test_a_field_stays_in_our_world(distill3d: Run) -> None:
    scene = start("voxels")
    scene.scene_transform.copy_(similarity())
    files.save(scene, "scene.safetensors")
    said = distill3d("export", "scene.safetensors", "--out", "there.safetensors", "--frame", "source")
    assert said.code == 2 and "neither Gaussians nor surfels" in said.err and "export a mesh" in said.err
    assert not Path("there.safetensors").exists()


@pytest.mark.parametrize("flags", [["--out", "a.ply"], ["--out", "a.glb", "--mesh"]])
def test_what_knows_of_no_other_world_says_so(distill3d: Run, flags: list[str]) -> None:
    files.save(start("gaussians"), "scene.ply")
    said = distill3d("export", "scene.ply", *flags, "--frame", "source")
    assert said.code == 2 and "knows of no world but its own" in said.err
    assert len(said.err.strip().splitlines()) == 1 and not list(Path().glob("a.*"))


def pngs(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(folder).glob("*.png"))]


def test_a_fit_is_rendered_from_the_datasets_own_cameras(distill3d: Run, data: Path) -> None:
    assert distill3d("fit", data, *TINY, "--out", "run").code == 0
    for scene, out in [("run", "a"), ("run/scene.ply", "b")]:
        said = distill3d("render", scene, "--cameras", data / "transforms.json", "--out", out)
        assert said.code == 0, said.err
    dataset = open_dataset(data)
    frames = sorted([*dataset.train, *dataset.test], key=lambda frame: frame.name)
    with torch.no_grad():
        expected = files.load("run").render(dataset.cameras(frames)).over((1.0, 1.0, 1.0))
    assert pngs("a") == pngs("b") and len(pngs("a")) == len(frames)
    for i in range(len(frames)):
        with Image.open(f"a/{i:04d}.png") as picture:
            shown = torch.tensor(np.asarray(picture)) / 255
        assert_close(shown, expected[i], rtol=0, atol=0.51 / 255 + 1e-3)


def test_a_turntable_goes_round_again_by_the_cameras_that_it_kept(distill3d: Run) -> None:
    """They are kept in the source's world, in which a dataset has its own."""
    scene = start("gaussians")
    scene.scene_transform.copy_(similarity())
    files.save(scene, "scene.ply")
    assert distill3d("render", "scene.ply", "--turntable", 3, "--size", 24, "--out", "a").code == 0
    said = distill3d("render", "scene.ply", "--cameras", "a/transforms.json", "--out", "b")
    assert said.code == 0, said.err
    for one, other in zip(sorted(Path("a").glob("*.png")), sorted(Path("b").glob("*.png")), strict=True):
        with Image.open(one) as first, Image.open(other) as second:
            assert np.abs(np.asarray(first, int) - np.asarray(second, int)).max() <= 1
    eyes = files.load_cameras("a/transforms.json").centres.double()
    assert_close(
        (eyes - (-SHIFT @ similarity()[:3, :3] / SCALE**2)).norm(dim=1), torch.full((3,), 3 / SCALE).double()
    )


def test_blenders_cameras_have_the_size_of_their_pictures(distill3d: Run, tmp_path: Path) -> None:
    folders.blender(tmp_path / "data")
    files.save(start("gaussians"), "scene.ply")
    said = distill3d("render", "scene.ply", "--cameras", "data/transforms_test.json", "--out", "a")
    assert said.code == 0 and "9 pictures of 24 x 20" in said.out, said.err
    for path in (tmp_path / "data" / "test").iterdir():
        path.unlink()
    said = distill3d("render", "scene.ply", "--cameras", "data/transforms_test.json", "--out", "b")
    assert said.code == 2 and "neither w and h nor the first frame's picture" in said.err


def test_what_nerfstudio_has_applied_to_the_world_is_undone(distill3d: Run, data: Path) -> None:
    """Photographs in a world that was turned, scaled and shifted, with a note, are the same dataset."""
    listed = data / "transforms.json"
    content = json.loads(listed.read_text())
    before = open_dataset(data)
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = matrix_from_wxyz(torch.tensor([0.1, 0.7, 0.5, 0.5], dtype=torch.float64))
    matrix[:3, 3] = torch.tensor([1.0, 2, 3])
    for frame in content["frames"]:
        pose = matrix @ torch.tensor(frame["transform_matrix"], dtype=torch.float64)
        pose[:3, 3] *= 0.5
        frame["transform_matrix"] = pose.tolist()
    content |= {"applied_transform": matrix[:3].tolist(), "applied_scale": 0.5}
    listed.write_text(json.dumps(content))
    after = open_dataset(data)
    assert_close(after.scene_transform, before.scene_transform, rtol=1e-6, atol=1e-6)
    for one, other in zip(before.train, after.train, strict=True):
        assert_close(one.camera_to_world, other.camera_to_world, rtol=1e-6, atol=1e-6)
    assert_close(
        files.load_cameras(listed).world_to_camera[1],
        torch.linalg.inv(after.train[0].camera_to_world).float(),
    )
    listed.write_text(json.dumps(content | {"applied_transform": [[1, 2, 3, 4]] * 3}))
    said = distill3d("fit", data, *TINY, "--out", "run")
    assert said.code == 2 and "applied_transform is no similarity" in said.err


def test_an_export_says_in_one_line_what_its_file_leaves_out(distill3d: Run) -> None:
    scene = start("gaussians")
    scene.scene_transform.copy_(similarity())
    files.save(scene, "scene.ply")
    said = distill3d("export", "scene.ply", "--out", "a.spz")
    assert said.code == 0 and said.err.count("\n") == 1
    assert said.err.startswith("warning: a.spz leaves out the way from its source's world (scene_transform);")
    assert distill3d("export", "scene.ply", "--out", "b.spz", "--frame", "source").err == ""
    assert distill3d("export", "scene.ply", "--out", "c.compressed.ply").err == ""
