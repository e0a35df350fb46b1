"""Comparing: linked panes, wipe, flip, and the server's numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill3d import files
from distill3d.representations.gaussians import Gaussians
from distill3d.sh import degree_0_from_rgb
from tests.viewer import _page

pytestmark = pytest.mark.browser


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """A red and a blue scene of the same shape."""
    paths = []
    for name, colour in {"red": (1.0, 0.0, 0.0), "blue": (0.0, 0.0, 1.0)}.items():
        torch.manual_seed(0)
        ball = Gaussians.start(count=60, radius=0.5, opacity=0.9)
        sh = degree_0_from_rgb(torch.tensor([colour]).expand(60, 3))[:, None]
        paths.append(tmp_path / f"{name}.ply")
        files.save(Gaussians(ball.means, ball.wxyz, ball.log_scales, ball.opacity_logits, sh), paths[-1])
    return paths


def halves(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean colours of what is drawn on the left and on the right."""
    sides = np.split(image, 2, axis=1)
    red, blue = (side[side.max(-1) > 0.3].mean(0) for side in sides)
    return red, blue


def test_panes_turn_together(serve_page: Callable[..., Any], page: Any, pair: list[Path]) -> None:
    _page.open_page(page, serve_page(*pair, compare=True).url)
    assert page.locator(".tag[data-side]").all_inner_texts()[0].startswith("red.ply")
    left, right = halves(_page.picture(page, 200, 100, "#000"))
    assert left[0] > 0.8 > 0.1 > left[2] and right[2] > 0.8 > 0.1 > right[0]
    before = [_page.picture(page, 80, 80, "#000", pane) for pane in (0, 1)]
    page.mouse.move(350, 200)  # in the right pane
    page.mouse.down()
    page.mouse.move(410, 180, steps=3)
    page.mouse.up()
    after = [_page.picture(page, 80, 80, "#000", pane) for pane in (0, 1)]
    for was, now in zip(before, after, strict=True):
        assert np.abs(was - now).mean() > 0.005
    np.testing.assert_allclose(after[0][..., 0], after[1][..., 2], atol=0.05)


def test_the_wipe_is_moved_and_flip_flips(
    serve_page: Callable[..., Any], page: Any, pair: list[Path]
) -> None:
    _page.open_page(page, serve_page(*pair).url)
    page.keyboard.press("i")
    _page.settle(page)
    left, right = halves(_page.picture(page, 160, 120, "#000"))
    assert left[0] > 0.8 and right[2] > 0.8
    box = page.locator(".wipe").bounding_box()
    page.mouse.move(box["x"] + 14, 150)
    page.mouse.down()
    page.mouse.move(box["x"] - 190, 150, steps=3)
    page.mouse.up()
    assert int(page.get_attribute(".wipe", "aria-valuenow")) < 20
    left, right = halves(_page.picture(page, 160, 120, "#000"))
    assert left[2] > 0.8 and right[2] > 0.8
    page.keyboard.press("f")
    for channel in (0, 2, 0):
        seen = _page.picture(page, 160, 120, "#000")
        assert seen[seen.max(-1) > 0.3].mean(0)[channel] > 0.8
        page.keyboard.press("f")


def test_the_difference_has_a_map_and_numbers(
    serve_page: Callable[..., Any], page: Any, pair: list[Path]
) -> None:
    _page.open_page(page, serve_page(*pair).url)
    page.keyboard.press("h")
    page.locator("img.difference:not([hidden])").wait_for()
    scores = page.inner_text("#panel-compare .scores")
    assert "PSNR" in scores and "dB" in scores and 0 < float(scores.split("SSIM")[1]) < 1
    page.locator("#panel-compare").get_by_role("radio", name="Off").click()
    assert page.locator("img.difference:not([hidden])").count() == 0
    assert _page.stats(page)["mode"] == "single"


def test_numbers_are_those_of_the_state_that_is_shown(
    serve_page: Callable[..., Any], page: Any, pair: list[Path]
) -> None:
    server = serve_page(*pair, compare=True)
    _page.open_page(page, server.url)
    scores = page.locator("#panel-compare .scores")
    scores.wait_for()
    assert "∞" not in scores.inner_text()
    _page.exchange(server, 1, files.load(pair[0]), step=20)
    page.locator("#panel-compare .scores", has_text="∞").wait_for()
    _page.exchange(server, 1, Gaussians.start(count=12, radius=0.5, opacity=0.9), step=30)
    page.locator(".tag[data-side='1']", has_text="12").wait_for()
    page.locator("#panel-compare .scores:not(:has-text('∞'))").wait_for()


def test_four_panes_stand_in_a_square_and_which_of_five_is_chosen(
    serve_page: Callable[..., Any], page: Any, pair: list[Path], scenes: dict[str, Path]
) -> None:
    green = pair[0].with_name("green.ply")
    files.save(files.load(scenes["ball"]), green)
    paths = [*pair, scenes["field"], scenes["mesh"], green]
    _page.open_page(page, serve_page(*paths).url)
    page.keyboard.press("b")
    _page.settle(page)
    tags = page.locator(".tag[data-side]")

    def named(*names: str) -> bool:
        texts = tags.all_inner_texts()
        return len(texts) == len(names) and all(map(str.startswith, texts, names))

    assert named("red.ply", "blue.ply", "field.safetensors", "mesh.glb")
    boxes = [tags.nth(i).bounding_box() for i in range(4)]
    assert boxes[0]["x"] == boxes[2]["x"] < boxes[1]["x"] and boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"]
    image = _page.picture(page, 200, 200, "#000")
    panes = [image[y : y + 100, x : x + 100] for y in (0, 100) for x in (0, 100)]
    assert all(0.02 < _page.coverage(pane) < 0.98 for pane in panes), "each in a quarter, a field too"
    assert panes[0][..., 0].max() > 0.8 > 0.1 > panes[0][..., 2].max()
    assert panes[1][..., 2].max() > 0.8 > 0.1 > panes[1][..., 0].max()
    panel = page.locator("#panel-compare")
    panel.get_by_label("Compare field.safetensors").uncheck()
    panel.get_by_label("Compare green.ply").check()
    assert named("red.ply", "blue.ply", "mesh.glb", "green.ply")
