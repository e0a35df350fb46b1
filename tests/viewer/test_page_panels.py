"""The panels: looks, properties, what is under the cursor, layers, paths, photographs, pictures, and help."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from distill3d.viewer import path as paths
from tests.viewer import _page
from tests.viewer.conftest import camera

pytestmark = pytest.mark.browser
BLACK = "#000"


@pytest.fixture
def ball(serve_page: Callable[..., Any], page: Any, scenes: dict[str, Path]) -> Any:
    """The page with the small ball of Gaussians."""
    _page.open_page(page, serve_page(scenes["ball"]).url)
    return page


def unfold(page: Any, panel: str) -> Any:
    """A panel, open."""
    found = page.locator(f"#panel-{panel}")
    if found.get_attribute("open") is None:
        found.locator("summary").click()
    return found


def test_every_look_has_its_key_and_its_picture(ball: Any) -> None:
    pictures = {}
    for look, key in zip(
        ("rgb", "depth", "normal", "alpha", "contributions", "centres", "ellipsoids"), "cznmkuj", strict=True
    ):
        ball.keyboard.press(key)
        _page.settle(ball)
        assert _page.stats(ball)["look"] == look
        pictures[look] = _page.picture(ball, background=BLACK)
        assert _page.coverage(pictures[look]) > 0.02, look
    looks = list(pictures.values())
    for i, a in enumerate(looks):
        assert all(np.abs(a - b).mean() > 0.005 for b in looks[i + 1 :])
    for grey in ("depth", "alpha"):
        assert np.ptp(pictures[grey], axis=-1).max() < 0.02
    assert pictures["alpha"].max() > 0.95


def test_a_property_is_shown_and_a_brush_greys_the_rest(ball: Any) -> None:
    own = _page.picture(ball, background=BLACK)
    panel = unfold(ball, "closer")
    panel.locator("select").select_option("height")
    panel.locator(".histogram canvas").wait_for()
    _page.settle(ball)
    coloured = _page.picture(ball, background=BLACK)
    assert np.abs(coloured - own).mean() > 0.02
    box = panel.locator(".histogram canvas").bounding_box()
    ball.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 20)
    ball.mouse.down()
    ball.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + 20, steps=3)
    ball.mouse.up()
    _page.settle(ball)
    brushed = _page.picture(ball, background=BLACK)
    lower = (slice(60, None), slice(None))
    drawn = coloured[lower].max(-1) > 0.3
    assert (
        np.ptp(brushed[lower], axis=-1)[drawn].mean() < np.ptp(coloured[lower], axis=-1)[drawn].mean() - 0.1
    )
    ball.keyboard.press("Escape")
    _page.settle(ball)
    np.testing.assert_allclose(_page.picture(ball, background=BLACK), own, atol=0.02)


def test_a_click_tells_what_is_there(ball: Any) -> None:
    box = ball.locator("canvas.scene").bounding_box()
    ball.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    facts = ball.locator("#panel-closer dl.facts")
    facts.wait_for()
    assert "opacity" in facts.inner_text()
    ball.mouse.click(box["x"] + 3, box["y"] + 3)
    ball.locator("#panel-closer", has_text="Nothing of ball.ply is there").wait_for()


def test_a_layer_is_hidden_faded_and_moved(ball: Any) -> None:
    before = _page.picture(ball, background=BLACK)
    ball.get_by_label("Opacity").fill("0.5")
    _page.settle(ball)
    assert 0.3 < _page.picture(ball, background=BLACK).sum() / before.sum() < 0.9
    ball.get_by_label("Opacity").fill("1")
    ball.get_by_label("Position z").fill("0.4")
    ball.get_by_label("Position z").press("Enter")
    _page.settle(ball)
    rows = [
        np.average(np.arange(96), weights=image.sum((1, 2)))
        for image in (before, _page.picture(ball, background=BLACK))
    ]
    assert rows[1] < rows[0] - 5
    ball.get_by_role("button", name="Visible").click()
    _page.settle(ball)
    assert _page.coverage(_page.picture(ball, background=BLACK)) == 0


def test_a_wider_field_of_view_makes_the_scene_smaller(ball: Any) -> None:
    before = _page.coverage(_page.picture(ball, background=BLACK))
    ball.get_by_label("Field of view").fill("80")
    _page.settle(ball)
    assert _page.coverage(_page.picture(ball, background=BLACK)) < 0.5 * before
    assert np.rad2deg(ball.evaluate("__d3d.getCamera().fovYRad")) == pytest.approx(80, abs=0.6)
    ball.locator("#panel-look").get_by_role("radio", name="Alpha").click()
    assert _page.stats(ball)["look"] == "alpha"


def test_keys_alone_are_enough_and_help_lists_them(ball: Any) -> None:
    ball.keyboard.press("?")
    words = ball.locator("dialog").inner_text()
    assert all(word in words for word in ("Orbit", "Wipe", "Save the picture", "Dark or light", "Depth"))
    ball.keyboard.press("Escape")
    assert not ball.locator("dialog").is_visible()
    theme = ball.evaluate("document.documentElement.dataset.theme")
    ball.keyboard.press("t")
    assert ball.evaluate("document.documentElement.dataset.theme") != theme
    before = ball.evaluate("__d3d.getCamera().worldToCamera")
    ball.locator("canvas.scene").focus()
    ball.keyboard.press("ArrowLeft")
    ball.keyboard.press("w")
    assert ball.evaluate("__d3d.getCamera().worldToCamera") != before
    ball.keyboard.press("p")
    assert not ball.locator("aside.side").is_visible()


def test_a_path_is_saved_as_the_renderer_reads_it_and_walked_the_same_way(ball: Any, tmp_path: Path) -> None:
    panel = unfold(ball, "cameras")
    for turn in range(3):
        panel.get_by_role("button", name="Add key frame").click()
        ball.locator("canvas.scene").focus()
        for _ in range(2 + turn):
            ball.keyboard.press("ArrowRight")
    with ball.expect_download() as download:
        panel.get_by_role("button", name="Save").click()
    file = tmp_path / "path.json"
    download.value.save_as(file)
    path = paths.load(file)
    assert path.seconds.tolist() == [0, 2, 4]
    scrub = panel.get_by_label("Time on the path")
    scrub.fill("2.7")
    here = torch.tensor(ball.evaluate("__d3d.getCamera().worldToCamera"), dtype=torch.float64).reshape(4, 4)
    positions, _, _ = path.at(torch.tensor([2.7], dtype=torch.float64))
    eye = -here[:3, :3].T @ here[:3, 3]
    torch.testing.assert_close(eye, positions[0], atol=1e-4, rtol=0)
    ball.locator("canvas.scene").focus()
    ball.keyboard.press("Space")
    panel.get_by_role("button", name="Stop").wait_for()
    ball.wait_for_function(
        "at => Math.abs(document.querySelector('[aria-label=\"Time on the path\"]').value - at) > 0.1",
        arg=2.7,
    )
    panel.get_by_role("button", name="Stop").click()
    panel.get_by_role("button", name="Play").wait_for()
    file.write_text(json.dumps({"format": "distill3d path 1", "keys": []}))
    panel.get_by_label("Path file").set_input_files(file)
    ball.locator(".notice", has_text="no camera path").wait_for()


def test_pictures_and_films_are_saved(ball: Any, tmp_path: Path) -> None:
    panel = unfold(ball, "output")
    panel.get_by_label("Width").fill("256")
    with ball.expect_download() as download:
        panel.get_by_role("button", name="Save picture").click()
    download.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as image:
        assert image.width == 256 and np.asarray(image).std() > 5
    assert download.value.suggested_filename == "ball.png"
    panel.get_by_label("One turn").fill("2")
    camera = ball.evaluate("__d3d.getCamera()")
    with ball.expect_download() as download:
        panel.get_by_role("button", name="Turntable").click()
    download.value.save_as(tmp_path / "turn.webm")
    film = (tmp_path / "turn.webm").read_bytes()
    assert film.startswith(b"\x1a\x45\xdf\xa3") and len(film) > 1000
    here = ball.evaluate("__d3d.getCamera()")
    np.testing.assert_allclose(here["worldToCamera"], camera["worldToCamera"], atol=1e-6)


def test_one_stands_where_a_photograph_was_taken(
    serve_page: Callable[..., Any], page: Any, scenes: dict[str, Path], tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), "teal").save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    pose = [[0, 0, 1, 3.0], [1, 0, 0, 0], [0, 1, 0, 0.2], [0, 0, 0, 1]]  # OpenGL's camera, on +x
    for split in ("train", "test"):
        frames = [{"file_path": "./a.png", "transform_matrix": pose}]
        content = {"camera_angle_x": 0.7, "frames": frames}
        (tmp_path / f"transforms_{split}.json").write_text(json.dumps(content))
    server = serve_page(scenes["ball"], data=tmp_path)
    _page.open_page(page, server.url)
    _page.stand(page, camera(96, 96, 2.65)[0])  # with the frusta, which are on +x, beside the ball
    _page.settle(page)
    with_frusta = _page.picture(page, background=BLACK)
    page.locator("#panel-cameras").get_by_label("Frusta").uncheck()
    _page.settle(page)
    assert np.abs(with_frusta - _page.picture(page, background=BLACK)).mean() > 1e-4, "lines of the frusta"
    page.locator("#panel-cameras .thumbs button").first.click()
    here = page.evaluate("__d3d.getCamera().worldToCamera")
    np.testing.assert_allclose(here, server.stage.welcome("0").frusta[0].camera.world_to_camera, atol=1e-4)
    photo = page.locator("img.photo")
    photo.wait_for()
    assert photo.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40


def test_a_phone_has_the_panels_below(page: Any, scenes: dict[str, Path]) -> None:
    with _page.bare_page() as url:
        page.set_viewport_size({"width": 390, "height": 800})
        page.goto(url)
        page.wait_for_selector("canvas.scene")
        _page.drop_files(page, [scenes["ball"]])
    stage, side = (page.locator(name).bounding_box() for name in ("main.stage", "aside.side"))
    assert side["y"] >= stage["y"] + stage["height"] - 1 and stage["height"] > 300
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
