"""Looking closer in the page: maps of confidence, features and parts as colours, words, and what is alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill3d import files
from distill3d.representations._extra import Extra
from distill3d.representations.gaussians import Gaussians
from tests.viewer import _page

pytestmark = pytest.mark.browser


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """A ball whose upper half is roof, and trusted, and whose lower half is wall, and is not."""
    torch.manual_seed(0)
    ball = Gaussians.start(count=200, radius=0.6, opacity=0.95)
    upper = ball.means.detach()[:, 2] > 0
    vectors = torch.where(upper[:, None], torch.tensor([1.0, 0, 0.1]), torch.tensor([0, 1.0, 0.1]))
    ball.extra = Extra({"clip": vectors, "confidence": torch.where(upper, 0.9, 0.1)})
    files.save(ball, tmp_path / "house.safetensors")
    words = {"roof": [1.0, 0, 0], "wall": [0, 1.0, 0]}
    (tmp_path / "house.words.json").write_text(json.dumps({"words": words}))
    return tmp_path / "house.safetensors"


def sides(page: Any) -> tuple[np.ndarray, np.ndarray]:
    """The mean colours of the upper and the lower half."""
    _page.settle(page)
    image = _page.picture(page, 96, 96, "#000")
    upper, lower = (part[part.max(-1) > 0.2].mean(0) for part in (image[:40], image[56:]))
    return upper, lower


def test_maps_features_words_and_likeness_colour_the_scene(
    serve_page: Callable[..., Any], page: Any, halves: Path
) -> None:
    _page.open_page(page, serve_page(halves).url)
    page.keyboard.press("4")
    panel = page.locator("#panel-closer")
    names = panel.locator("select option").all_inner_texts()
    assert "confidence" in names and "clip" in names and names.index("confidence") < names.index("opacity")

    panel.locator("select").select_option(label="confidence")
    panel.locator(".histogram strong", has_text="confidence").wait_for()
    upper, lower = sides(page)
    assert np.abs(upper - lower).max() > 0.3
    panel.get_by_label("Range from").fill("0.5")
    panel.get_by_label("Range from").press("Enter")
    brushed = sides(page)
    assert np.abs(brushed[0] - upper).max() < 0.05 < np.abs(brushed[1] - lower).max()
    assert np.ptp(brushed[1]) < 0.2, "what is outside of the range is grey"

    panel.locator("select").select_option(label="clip")
    panel.locator(".histogram").wait_for(state="hidden")
    first, second = sides(page)
    assert np.abs(first - second).max() > 0.3

    heat: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for word in ("roof", "wall"):
        panel.get_by_label("Find by words").fill(word)
        panel.get_by_label("Find by words").press("Enter")
        panel.locator(".histogram strong", has_text=word).wait_for()
        heat[word] = sides(page)
    np.testing.assert_allclose(heat["roof"][0], heat["wall"][1], atol=0.25)
    np.testing.assert_allclose(heat["roof"][1], heat["wall"][0], atol=0.25)
    panel.get_by_label("Find by words").fill("submarine")
    panel.get_by_label("Find by words").press("Enter")
    assert "it knows roof, wall" in page.locator(".notice.bad").inner_text()

    box = page.locator("canvas.scene").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 0.3 * box["height"])
    panel.get_by_role("button", name="Show what is like it").click()
    panel.locator(".histogram strong", has_text="Like no.").wait_for()
    alike = sides(page)
    np.testing.assert_allclose(alike[0], heat["roof"][0], atol=0.1)
    page.keyboard.press("Escape")
    panel.locator(".histogram").wait_for(state="hidden")


def test_facts_come_to_whoever_points(serve_page: Callable[..., Any], page: Any, halves: Path) -> None:
    _page.open_page(page, serve_page(halves).url)
    page.keyboard.press("4")
    box = page.locator("canvas.scene").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.3 * box["height"])
    tip = page.locator(".overlay .tag", has_text="primitive")
    tip.wait_for()
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    tip.wait_for(state="hidden")


def test_facts_follow_what_comes_under_a_pointer_that_rests(
    serve_page: Callable[..., Any], page: Any, halves: Path
) -> None:
    """The panel unfolds, the scene turns away and back: nobody has to move the pointer for it."""
    _page.open_page(page, serve_page(halves).url)
    box = page.locator("canvas.scene").bounding_box()
    tip = page.locator(".overlay .tag", has_text="primitive")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.5 * box["height"])
    page.keyboard.press("4")
    tip.wait_for()
    camera = page.evaluate("__d3d.getCamera()")
    away = [*camera["worldToCamera"][:3], camera["worldToCamera"][3] + 50, *camera["worldToCamera"][4:]]
    for pose, state in ((away, "hidden"), (camera["worldToCamera"], "visible")):
        page.evaluate("pose => __d3d.setCamera(pose)", pose)
        tip.wait_for(state=state)
        page.wait_for_timeout(400)
        assert tip.is_visible() == (state == "visible")


def test_what_is_shown_of_primitives_goes_on_with_a_run(
    serve_page: Callable[..., Any], page: Any, halves: Path
) -> None:
    """A newer state of the scene keeps the property, and what was brushed of it."""
    server = serve_page(halves)
    _page.open_page(page, server.url)
    page.keyboard.press("4")
    panel = page.locator("#panel-closer")
    panel.locator("select").select_option(label="confidence")
    panel.get_by_label("Range from").fill("0.5")
    panel.get_by_label("Range from").press("Enter")
    before = sides(page)
    scene = files.load(halves)
    assert isinstance(scene, Gaussians)
    scene.extra.put("confidence", 1 - scene.extra.get_buffer("confidence"))
    _page.exchange(server, 0, scene, step=7)
    page.locator("article.layer", has_text="step 7").wait_for()
    page.wait_for_function("() => __d3d.stats.layers[0].colours")
    after = sides(page)
    assert panel.locator("select").input_value() == "file: confidence"
    assert float(panel.get_by_label("Range from").input_value()) == 0.5
    np.testing.assert_allclose(after[0], before[1], atol=0.1)
    np.testing.assert_allclose(after[1], before[0], atol=0.1)
