"""Commands on finished scenes: render and export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from distill3d import files, sh
from distill3d.camera import orbit, turntable
from distill3d.formats import ply_gaussians
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.voxels import Voxels
from tests.commands.conftest import Said

Run = Callable[..., Said]


@pytest.fixture
def ball(distill3d: Run) -> Path:
    """A red ball of radius 0.5 around the origin with a green spot on its front, as voxels in a file."""
    line = torch.linspace(-1, 1, 25)
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    density = 200 * (0.5 - torch.stack([x, y, z]).norm(dim=0))
    red = torch.tensor([6.0, -6.0, -6.0])[:, None, None, None].expand(3, 25, 25, 25).clone()
    spot = ((x - 0.5).square() + y.square() + z.square()).sqrt() < 0.3
    red[0][spot], red[1][spot] = -6.0, 6.0
    logits = red.movedim(0, -1)
    scene = Voxels(density, logits / sh.DEGREE_0, logits[..., :0], samples=64)
    files.save(scene, "ball.safetensors")
    return Path("ball.safetensors")


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_turntable_starts_at_the_front_and_comes_with_its_cameras(distill3d: Run, ball: Path) -> None:
    said = distill3d("render", ball, "--turntable", 4, "--size", 32, "--out", "frames")
    assert said.code == 0 and "4 pictures of 32 x 32" in said.out
    names = ["0000.png", "0001.png", "0002.png", "0003.png", "transforms.json", "turntable.gif"]
    assert sorted(p.name for p in Path("frames").iterdir()) == names
    centre = [_pixels(Path(f"frames/{i:04d}.png"))[16, 16] for i in range(4)]
    assert centre[0][1] > 200 and centre[0][0] < 60, "the spot looks at the first camera"
    assert all(c[0] > 200 and c[1] < 60 for c in centre[1:])


def test_rendering_its_own_cameras_gives_the_same_pictures(distill3d: Run, ball: Path) -> None:
    distill3d("render", ball, "--turntable", 3, "--size", 24, "--out", "a")
    said = distill3d("render", ball, "--cameras", "a/transforms.json", "--out", "b")
    assert said.code == 0 and sorted(p.name for p in Path("b").iterdir()) == [
        f"{i:04d}.png" for i in range(3)
    ]
    for i in range(3):
        assert (
            np.abs(_pixels(Path(f"a/{i:04d}.png")).astype(int) - _pixels(Path(f"b/{i:04d}.png"))).max() <= 1
        )


def test_cameras_are_rendered_at_their_size_and_in_their_order(distill3d: Run, ball: Path) -> None:
    azimuths = torch.tensor([torch.pi, 0.0])
    files.save_cameras(orbit(azimuths, 0.2, width=40, height=20), "c.json")
    distill3d("render", ball, "--cameras", "c.json", "--out", "a")
    back, front = _pixels(Path("a/0000.png")), _pixels(Path("a/0001.png"))
    assert back.shape == (20, 40, 3)
    assert back[10, 20, 0] > 200 and front[10, 20, 1] > 200


@pytest.mark.parametrize(("background", "corner"), [("white", (255,) * 3), ("black", (0,) * 3)])
def test_backgrounds(distill3d: Run, ball: Path, background: str, corner: tuple[int, ...]) -> None:
    distill3d("render", ball, "--turntable", 1, "--size", 16, "--out", "a", "--background", background)
    assert tuple(_pixels(Path("a/0000.png"))[0, 0]) == corner


def test_transparent_pictures_over_white_are_white_ones(distill3d: Run, ball: Path) -> None:
    for background in ("transparent", "white"):
        distill3d(
            "render", ball, "--turntable", 1, "--size", 24, "--out", background, "--background", background
        )
    rgba = _pixels(Path("transparent/0000.png")) / 255
    white = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
    assert np.abs(white * 255 - _pixels(Path("white/0000.png"))).max() < 3
    assert 0 < rgba[..., 3].mean() < 1


def test_depth_is_the_distance_to_the_ball(distill3d: Run, ball: Path) -> None:
    distill3d("render", ball, "--turntable", 2, "--size", 32, "--out", "a", "--want", "depth")
    depth = _pixels(Path("a/0000.png"))
    assert depth.max() < 3500 and abs(int(depth[16, 16]) - 2500) < 60
    assert depth[0, 0] == 0
    assert not Path("a/turntable.gif").exists()


def test_normals_are_colours_in_front_of_the_background(distill3d: Run, ball: Path) -> None:
    said = distill3d("render", ball, "--turntable", 1, "--size", 33, "--out", "a", "--want", "normal")
    assert said.code == 0, said.err
    picture = _pixels(Path("a/0000.png")).astype(int)
    camera = turntable(1, width=33, height=33)
    to_camera = torch.nn.functional.normalize(camera.centres[0], dim=0)
    expected = (to_camera + 1) / 2 * 255
    assert np.abs(picture[16, 16] - expected.numpy()).max() < 12, "the middle of a ball looks at the camera"
    assert tuple(picture[0, 0]) == (255, 255, 255) and Path("a/turntable.gif").exists()


def test_alpha_is_grey(distill3d: Run, ball: Path) -> None:
    distill3d("render", ball, "--turntable", 1, "--size", 16, "--out", "a", "--want", "alpha")
    alpha = _pixels(Path("a/0000.png"))
    assert alpha.shape == (16, 16) and alpha[8, 8] > 250 and alpha[0, 0] == 0


def test_a_folder_in_use_is_refused_unless_asked(distill3d: Run, ball: Path) -> None:
    Path("a").mkdir()
    Path("a/0000.png").write_text("mine")
    flags = ("render", ball, "--turntable", 1, "--size", 8, "--out", "a")
    said = distill3d(*flags)
    assert said.code == 2 and "a is not empty" in said.err and Path("a/0000.png").read_text() == "mine"
    assert distill3d(*flags, "--overwrite").code == 0


def test_gaussians_export_to_the_ply_they_are(distill3d: Run) -> None:
    scene = Gaussians.start(count=20, limit=20, seed=0)
    files.save(scene, "a.safetensors")
    assert distill3d("export", "a.safetensors", "--out", "b.ply").code == 0
    state = ply_gaussians.read(Path("b.ply").read_bytes())
    assert all(torch.equal(value, scene.state_dict()[name]) for name, value in state.items())


@pytest.mark.parametrize(("suffix", "front", "up"), [("glb", 2, 1), ("obj", 2, 1), ("ply", 0, 2)])
def test_a_ball_exports_to_a_closed_mesh_with_its_spot_in_front(
    distill3d: Run, ball: Path, suffix: str, front: int, up: int
) -> None:
    said = distill3d("export", ball, "--out", f"ball.{suffix}", "--resolution", 32)
    assert said.code == 0 and "triangles" in said.out, said.err
    mesh = trimesh.load(f"ball.{suffix}", force="mesh", process=False)
    assert mesh.volume == pytest.approx(4 / 3 * torch.pi * 0.5**3, rel=0.15)
    assert np.abs(mesh.bounds).max() < 0.6
    green = mesh.visual.vertex_colors[:, 1] > 150
    middle = mesh.vertices[green].mean(0)
    assert middle[front] > 0.35 and abs(middle[up]) < 0.1


def test_an_empty_scene_has_no_mesh(distill3d: Run) -> None:
    empty = Voxels(torch.full((4, 4, 4), -20.0), torch.zeros(4, 4, 4, 3), torch.zeros(4, 4, 4, 0), samples=8)
    files.save(empty, "empty.safetensors")
    said = distill3d("export", "empty.safetensors", "--out", "a.glb", "--resolution", 16)
    assert said.code == 2 and said.err.count("\n") == 1 and not Path("a.glb").exists()


def test_turntable_cameras_are_those_of_the_library(distill3d: Run, ball: Path) -> None:
    distill3d("render", ball, "--turntable", 2, "--size", 8, "--out", "a")
    assert torch.allclose(
        files.load_cameras("a/transforms.json").world_to_camera,
        turntable(2, width=8, height=8).world_to_camera,
        atol=1e-6,
    )
