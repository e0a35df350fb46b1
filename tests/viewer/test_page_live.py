"""Runs that are watched, spoken for by a server that follows a script; and pages that hold their scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill3d import files
from distill3d.viewer import export_html
from tests.viewer import _page

pytestmark = pytest.mark.browser

WELCOME = {
    "type": "welcome",
    "protocol": 1,
    "version": "0",
    "title": "owl",
    "control": True,
    "layers": [],
    "frusta": [],
    "compare": [],
}
RUN = {
    "type": "run",
    "run": 0,
    "name": "owl",
    "state": "training",
    "step": 50,
    "steps": 200,
    "checkpoints": [10, 20, 40],
    "sentence": "",
}
LINES = [
    {"step": n, "seconds": n / 10, "loss": 1 / n, "parts": {"rgb": 0.8 / n, "ssim": 0.2 / n}}
    for n in range(1, 51)
]


def play(page: Any, *, control: bool = True) -> tuple[list[dict[str, Any]], list[Any]]:
    """A server that tells of a run; what it is told, and how to tell more."""
    heard: list[dict[str, Any]] = []
    routes: list[Any] = []

    def answer(route: Any) -> None:
        routes.append(route)

        def hear(text: str) -> None:
            heard.append(json.loads(text))
            if heard[-1]["type"] == "hello":
                for message in (
                    WELCOME | {"control": control},
                    RUN,
                    {"type": "metrics", "run": 0, "lines": LINES},
                ):
                    route.send(json.dumps(message))

        route.on_message(hear)

    page.route_web_socket("**/ws", answer)
    return heard, routes


def test_a_run_is_watched_scrubbed_and_steered(page: Any) -> None:
    heard, routes = play(page)
    with _page.bare_page() as url:
        _page.open_page(page, f"{url}#t=token")
        panel = page.locator("#panel-live")
        panel.locator("text=Training · 50 / 200").wait_for()
        legend = panel.locator(".legend").inner_text()
        assert all(word in legend for word in ("loss", "0.02", "rgb", "ssim"))
        pixels = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
        assert panel.locator("canvas").evaluate(pixels) > 10
        line = panel.get_by_label("Time line")
        line.fill("1")
        line.fill("3")
        panel.get_by_role("button", name="Pause").click()
        routes[0].send(json.dumps(RUN | {"state": "paused"}))
        panel.get_by_role("button", name="Resume").click()
        panel.get_by_role("button", name="Stop").click()
        routes[0].send(json.dumps(RUN | {"state": "failed", "sentence": "The loss was not finite."}))
        panel.locator("text=The loss was not finite.").wait_for()
        assert panel.get_by_role("button", name="Stop").is_disabled()
    said = [(message["type"], message.get("step", message.get("action"))) for message in heard[1:]]
    assert said == [
        ("scrub", 20),
        ("scrub", None),
        ("control", "pause"),
        ("control", "resume"),
        ("control", "stop"),
    ]


def test_without_control_the_reins_are_tied(page: Any) -> None:
    play(page, control=False)
    with _page.bare_page() as url:
        _page.open_page(page, f"{url}#t=token")
        pause = page.locator("#panel-live").get_by_role("button", name="Pause")
        pause.wait_for()
        assert pause.is_disabled() and "--control" in pause.get_attribute("title")


def test_an_exported_page_opens_from_disk_without_a_network(
    page: Any, scenes: dict[str, Path], tmp_path: Path
) -> None:
    export_html.write(files.load(scenes["ball"]), tmp_path / "page.html", "</script><b>ball")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    _page.open_page(page, (tmp_path / "page.html").as_uri())
    assert _page.stats(page)["layers"][0]["primitives"] == 300
    assert page.locator("article.layer strong").inner_text() == "</script><b>ball"
    assert _page.coverage(_page.picture(page, background="#000")) > 0.05
    page.keyboard.press("j")
    page.locator("#panel-closer summary").click()
    page.locator("#panel-closer select").select_option("opacity")
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked)
