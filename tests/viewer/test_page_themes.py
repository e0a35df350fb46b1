"""Dark and light: what stands on the page can be read in both, and the stage is as bright as the rest.

Contrast is that of WCAG 2.2, success criterion 1.4.3: (L₁ + 0.05) / (L₂ + 0.05) of relative luminances, at
least 4.5 for text and 3 for large letters.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.viewer import _page

pytestmark = pytest.mark.browser

FAINT = """() => {
  const rgba = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) =>
    0.2126 * light(r / 255) + 0.7152 * light(g / 255) + 0.0722 * light(b / 255);
  const over = (front, back) => {
    const alpha = front[3] ?? 1;
    return back.slice(0, 3).map((value, i) => alpha * front[i] + (1 - alpha) * value);
  };
  const behind = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reduceRight((back, front) => over(front, back), [255, 255, 255]);
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const nodes = [...element.childNodes].filter(node => node.nodeType === 3);
    const text = nodes.map(node => node.data.trim()).join('');
    if (!text || element.closest('canvas, option, script, style, :disabled')) continue;
    if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const style = getComputedStyle(element), back = behind(element);
    const [a, b] = [luminance(over(rgba(style.color), back)), luminance(back)].sort((x, y) => y - x);
    const least = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < least) found.push(`${contrast.toFixed(2)} ${element.className} ${text}`);
  }
  return found;
}"""
BACKGROUND = "getComputedStyle(document.querySelector('main.stage')).backgroundColor"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_everything_can_be_read(
    serve_page: Callable[..., Any], page: Any, scenes: dict[str, Path], theme: str
) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    _page.open_page(page, serve_page(scenes["ball"], scenes["mesh"], compare=True).url)
    page.locator("#panel-compare .scores").wait_for()
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    page.evaluate("document.querySelectorAll('details').forEach(panel => panel.open = true)")
    assert page.evaluate(FAINT) == []
    page.keyboard.press("?")
    assert page.evaluate(FAINT) == []


def test_faint_text_would_be_found(page: Any) -> None:
    with _page.bare_page() as url:
        page.goto(url)
        page.locator(".message").wait_for()
        page.add_style_tag(content=".message p { color: rgb(128 128 128 / 50%) !important }")
        assert any("Drop a scene here" in found for found in page.evaluate(FAINT))


def test_the_stage_and_its_pictures_follow_the_theme(
    serve_page: Callable[..., Any], page: Any, scenes: dict[str, Path]
) -> None:
    page.emulate_media(color_scheme="dark")
    _page.open_page(page, serve_page(scenes["ball"]).url)
    corners = {}
    for theme in ("dark", "light"):
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        stage = [int(value) / 255 for value in page.evaluate(BACKGROUND)[4:-1].split(",")]
        corner = _page.picture(page)[:4, :4].reshape(-1, 3)
        assert abs(corner - stage).max() < 0.02, "the canvas is as bright as the page around it"
        corners[theme] = corner.mean()
        page.keyboard.press("t")
    assert corners["dark"] < 0.2 < 0.8 < corners["light"]
