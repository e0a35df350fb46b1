"""Scenes in the page: what is dropped on it, and that what it draws is what the server would draw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill3d import files
from distill3d.camera import Cameras, orbit
from distill3d.ops.ssim import ssim
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.scene import Scene
from distill3d.sh import degree_0_from_rgb
from tests.viewer import _page

pytestmark = pytest.mark.browser
SIDE = 128


def server_picture(scene: Scene, azimuth_rad: float, background: float = 0.0) -> np.ndarray:
    with torch.no_grad():
        shot = scene.render(views(azimuth_rad), want=("rgb", "alpha"))
    return shot.over((background,) * 3)[0].clamp(0, 1).numpy()


def views(azimuth_rad: float) -> Cameras:
    return orbit(torch.tensor([azimuth_rad]), 0.3, width=SIDE, height=SIDE)


def view(azimuth_rad: float) -> Cameras:
    return views(azimuth_rad)[0]


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    pair = [torch.from_numpy(np.ascontiguousarray(image))[None] for image in (a, b)]
    return float(ssim(pair[0], pair[1]))


def blob(colour: tuple[float, float, float], x: float) -> Gaussians:
    """One opaque round Gaussian on the x axis."""
    return Gaussians(
        torch.tensor([[x, 0.0, 0.0]]),
        torch.tensor([[1.0, 0, 0, 0]]),
        torch.full((1, 3), 0.25).log(),
        torch.tensor([6.0]),
        degree_0_from_rgb(torch.tensor([colour]))[:, None],
    )


@pytest.mark.parametrize("name", ["ball", "mesh"])
def test_the_page_draws_what_the_server_draws(
    serve_page: Callable[..., Any], page: Any, scenes: dict[str, Path], name: str
) -> None:
    _page.open_page(page, serve_page(scenes[name]).url)
    scene = files.load(scenes[name])
    for azimuth_rad in (0.0, 1.2, 2.4, 3.6, 4.8):
        _page.stand(page, view(azimuth_rad))
        here = _page.picture(page, SIDE, SIDE, "#000")
        assert similarity(here, server_picture(scene, azimuth_rad)) > 0.95


@pytest.mark.parametrize("antialiased", [False, True])
def test_splats_under_a_pixel_are_as_faint_as_the_server_has_them(
    serve_page: Callable[..., Any], page: Any, tmp_path: Path, antialiased: bool
) -> None:
    dust = Gaussians.start(count=300, radius=0.6, opacity=0.9)
    dust.log_scales.data.fill_(np.log(0.006))
    dust.antialiased.fill_(antialiased)
    path = tmp_path / "dust.ply"
    files.save(dust, path)
    expected = server_picture(dust, 0.4).mean()
    _page.open_page(page, serve_page(path).url)
    _page.stand(page, view(0.4))
    assert _page.picture(page, SIDE, SIDE, "#000").mean() == pytest.approx(expected, rel=0.1)
    with _page.bare_page() as url:
        _page.open_page(page, url)
        _page.drop_files(page, [path])
        _page.stand(page, view(0.4))
        assert _page.picture(page, SIDE, SIDE, "#000").mean() == pytest.approx(expected, rel=0.1)


def test_colours_change_with_the_view(serve_page: Callable[..., Any], page: Any, tmp_path: Path) -> None:
    ball = blob((0.5, 0.5, 0.5), 0.0)
    sh = torch.zeros(1, 4, 3)
    sh[:, 3, 0] = 0.6  # the harmonic along x, in red alone
    files.save(Gaussians(ball.means, ball.wxyz, ball.log_scales, ball.opacity_logits, sh), tmp_path / "b.ply")
    _page.open_page(page, serve_page(tmp_path / "b.ply").url)
    reds = []
    for azimuth_rad in (0.0, torch.pi):
        _page.stand(page, view(azimuth_rad))
        reds.append(_page.picture(page, SIDE, SIDE, "#000")[SIDE // 2, SIDE // 2, 0])
    expected = [
        server_picture(files.load(tmp_path / "b.ply"), a)[SIDE // 2, SIDE // 2, 0] for a in (0.0, torch.pi)
    ]
    assert abs(reds[0] - reds[1]) > 0.3
    np.testing.assert_allclose(reds, expected, atol=0.03)


@pytest.mark.filterwarnings("ignore::distill3d.errors.Lost")
def test_every_kind_of_file_can_be_dropped_and_gaussians_look_alike(
    page: Any, scenes: dict[str, Path], tmp_path: Path
) -> None:
    ball, mesh = files.load(scenes["ball"]), files.load(scenes["mesh"])
    pictures = {}
    with _page.bare_page() as url:
        for suffix in ("ply", "spz", "splat", "sog", "glb", "obj"):
            path = tmp_path / f"scene.{suffix}"
            files.save(mesh if suffix in ("glb", "obj") else ball, path)
            _page.open_page(page, url)
            assert page.inner_text(".message h2") == "Nothing open yet"
            _page.drop_files(page, [path])
            _page.stand(page, view(0.5))
            pictures[suffix] = _page.picture(page, SIDE, SIDE, "#000")
            assert 0.05 < _page.coverage(pictures[suffix]) < 0.95, suffix
    for suffix in ("spz", "sog", "splat"):
        mean_difference = np.abs(pictures[suffix] - pictures["ply"]).mean()
        assert mean_difference < (0.05 if suffix == "splat" else 0.02), suffix  # .splat has no harmonics
    assert np.abs(pictures["glb"] - pictures["obj"]).mean() < 0.1


def test_files_that_are_no_scenes_get_a_sentence(page: Any, scenes: dict[str, Path]) -> None:
    half = scenes["ball"].read_bytes()[:5000]
    bad = [("notes.txt", b"hello", "not a scene"), ("empty.ply", b"", "empty"), ("half.ply", half, "cut off")]
    bad += [("fake.ply", b"no ply at all", "does not begin"), ("fake.glb", b"nothing", "does not begin")]
    bad += [("fake.sog", b"nothing", "not a zip"), ("short.splat", bytes(33), "multiple of 32")]
    with _page.bare_page() as url:
        _page.open_page(page, url)
        for name, content, sentence in bad:
            _page.drop(page, (name, content))
            notice = page.locator(".notice", has_text=name)
            notice.wait_for()
            assert sentence in notice.inner_text(), name
        assert _page.stats(page)["layers"] == []
        _page.drop_files(page, [scenes["ball"]])
        assert _page.stats(page)["layers"][0]["state"] == "ready"


def test_splats_meshes_and_frames_hide_each_other(
    serve_page: Callable[..., Any], page: Any, tmp_path: Path
) -> None:
    """Seen along x: what is nearer is seen, whichever way it is drawn."""
    files.save(blob((1.0, 0.0, 0.0), 0.8), tmp_path / "red.ply")
    files.save(Mesh.start(subdivisions=2), tmp_path / "mesh.glb")
    files.save(blob((0.0, 0.0, 1.0), -0.8), tmp_path / "blue.ply")
    paths = [tmp_path / name for name in ("red.ply", "mesh.glb", "blue.ply")]
    _page.open_page(page, serve_page(*paths).url)
    for exact in (False, True):
        if exact:  # Gaussians by the server, with depth
            for name in ("red.ply", "blue.ply"):
                page.click(f"article[data-name='{name}']")
                page.keyboard.press("x")
        for azimuth_rad, channel in ((0.0, 0), (torch.pi, 2)):
            _page.stand(page, view(azimuth_rad))
            pixel = _page.picture(page, SIDE, SIDE, "#000")[SIDE // 2, SIDE // 2]
            assert pixel[channel] > 0.8 and pixel[2 - channel] < 0.2, (exact, azimuth_rad, pixel)


def test_edges_of_meshes_are_smooth(
    serve_page: Callable[..., Any], page: Any, scenes: dict[str, Path]
) -> None:
    """White on black: about every pixel on the outline is between the two, where its samples differ."""
    _page.open_page(page, serve_page(scenes["mesh"]).url)
    page.keyboard.press("m")
    _page.settle(page)
    alpha = _page.picture(page, SIDE, SIDE, "#000")[..., 0]
    inside = alpha > 0.5
    outline = inside.sum() - (inside[1:-1, 1:-1] & inside[2:, 1:-1] & inside[:-2, 1:-1]).sum()
    between = int(((alpha > 0.1) & (alpha < 0.9)).sum())
    assert alpha.max() > 0.99 and outline > 20 and between > outline
