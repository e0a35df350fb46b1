"""Runs that are watched, spoken for by a server that follows a script; and pages that hold their scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill3d import files
from distill3d.representations.gaussians import Gaussians
from distill3d.viewer import export_html
from distill3d.viewer.protocol import PROTOCOL
from tests.viewer import _page

pytestmark = pytest.mark.browser

WELCOME = {
    "type": "welcome",
    "protocol": PROTOCOL,
    "version": "0",
    "title": "owl",
    "control": True,
    "layers": [],
    "frusta": [],
    "compare": [],
    "again": "distill3d view runs/owl",
}
RUN = {
    "type": "run",
    "run": 0,
    "name": "owl",
    "doing": "Fitting",
    "state": "running",
    "step": 50,
    "steps": 200,
    "checkpoints": [10, 20, 40],
    "sentence": "",
    "marks": [],
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
        panel.locator("text=Fitting · 50 / 200").wait_for()
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


def test_the_time_line_of_a_run_of_stages_says_which_is_shown(page: Any) -> None:
    _, routes = play(page)
    with _page.bare_page() as url:
        _page.open_page(page, f"{url}#t=token")
        panel = page.locator("#panel-live")
        panel.locator("text=Fitting · 50 / 200").wait_for()
        chart = "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).join()"
        plain = panel.locator("canvas").evaluate(chart)
        marks = [{"after": 0, "name": "field"}, {"after": 30, "name": "mesh"}]
        routes[0].send(json.dumps(RUN | {"marks": marks}))
        panel.locator("text=Fitting · mesh · 50 / 200").wait_for()
        assert panel.locator("canvas").evaluate(chart) != plain
        panel.get_by_label("Time line").fill("1")
        panel.locator("text=Fitting · field · 50 / 200").wait_for()


def test_a_run_that_has_ended_is_said_and_its_scene_stays_to_be_explored(
    page: Any, scenes: dict[str, Path]
) -> None:
    content = scenes["ball"].read_bytes()
    page.route("**/asset/*", lambda route: route.fulfill(body=content))
    heard, routes = play(page)
    with _page.bare_page() as url:
        _page.open_page(page, f"{url}#t=token")
        known = layer("a", content, 50) | {"frames": True, "channels": ["rgb"], "queries": True}
        routes[0].send(json.dumps({"type": "layers", "layers": [known]}))
        page.locator("article.layer", has_text="step 50").wait_for()
        routes[0].send(json.dumps({"type": "goodbye", "sentence": "The run has ended."}))
        routes[0].close()
        said = page.locator(".ended")
        said.wait_for()
        assert "The run has ended." in said.inner_text()
        assert said.locator("code").inner_text() == "distill3d view runs/owl"
        assert page.inner_text(".line") == "Ended" and len(heard) == 1
        page.locator("#panel-live", has_text="Not watched any more").wait_for()
        before = _page.picture(page, background="#000")
        page.mouse.move(400, 100)
        page.mouse.down()
        page.mouse.move(460, 110, steps=3)
        page.mouse.up()
        after = _page.picture(page, background="#000")
        assert _page.coverage(after) > 0.05 and np.abs(after - before).mean() > 0.005
        page.keyboard.press("4")
        page.locator("#panel-closer select").select_option("opacity")
        page.locator("#panel-closer .histogram canvas").wait_for()
        said.get_by_role("button", name="Try again").click()
        page.locator(".line", has_text="Connected").wait_for()
        assert not said.is_visible() and [message["type"] for message in heard] == ["hello", "hello"]


def test_a_server_that_is_gone_for_long_is_given_up(page: Any) -> None:
    calls: list[Any] = []

    def refuse(route: Any) -> None:
        calls.append(route)
        route.close()

    page.clock.install()
    page.route_web_socket("**/ws", refuse)
    with _page.bare_page() as url:
        page.goto(f"{url}#t=token")
        page.locator(".line", has_text="Reconnecting").wait_for()
        for _ in range(20):
            page.clock.run_for(4000)
        page.locator(".ended", has_text="does not answer any more").wait_for()
        page.clock.run_for(60000)
        assert 5 <= len(calls) <= 12
        page.locator(".message", has_text="The server is not there").wait_for()


def layer(asset: str, content: bytes, step: int) -> dict[str, Any]:
    """A layer of Gaussians, as the protocol has it."""
    return {
        "id": 0,
        "name": "owl",
        "kind": "gaussians",
        "shown": "splats",
        "asset": asset,
        "format": "ply",
        "asset_bytes": len(content),
        "offset": [0, 0, 0],
        "centre": [0, 0, 0],
        "radius": 0.6,
        "primitives": 1,
        "parameters": 1,
        "frames": False,
        "channels": [],
        "antialiased": False,
        "psnr": None,
        "ssim": None,
        "properties": [],
        "queries": False,
        "run": 0,
        "step": step,
    }


def test_a_scene_that_trains_is_replaced_and_the_camera_stays(
    page: Any, scenes: dict[str, Path], tmp_path: Path
) -> None:
    files.save(Gaussians.start(count=40, radius=0.6, opacity=0.9), tmp_path / "later.ply")
    contents = {"a": scenes["ball"].read_bytes(), "b": (tmp_path / "later.ply").read_bytes()}
    page.route("**/asset/*", lambda route: route.fulfill(body=contents[route.request.url[-1]]))
    _, routes = play(page)
    with _page.bare_page() as url:
        _page.open_page(page, f"{url}#t=token")
        routes[0].send(json.dumps({"type": "layers", "layers": [layer("a", contents["a"], 10)]}))
        page.locator("article.layer", has_text="step 10").wait_for()
        _page.settle(page)
        assert _page.stats(page)["layers"][0]["primitives"] == 300
        page.locator("canvas.scene").focus()
        page.keyboard.press("ArrowLeft")
        camera, before = page.evaluate("__d3d.getCamera()"), _page.picture(page, background="#000")
        routes[0].send(json.dumps({"type": "layers", "layers": [layer("b", contents["b"], 20)]}))
        page.locator("article.layer", has_text="step 20").wait_for()
        page.locator("article.layer", has_text="40 splats").wait_for()
        _page.settle(page)
        assert page.evaluate("__d3d.getCamera()") == camera
        assert np.abs(_page.picture(page, background="#000") - before).mean() > 0.01


def test_a_page_that_is_slower_than_the_run_fetches_the_newest_next(
    page: Any, scenes: dict[str, Path]
) -> None:
    content = scenes["ball"].read_bytes()
    asked: list[Any] = []
    page.route("**/asset/*", lambda route: asked.append(route))
    _, routes = play(page)
    with _page.bare_page() as url:
        _page.open_page(page, f"{url}#t=token")
        for step, asset in enumerate("abcd"):
            routes[0].send(json.dumps({"type": "layers", "layers": [layer(asset, content, step)]}))
        routes[0].send(json.dumps(RUN | {"step": 51}))
        page.locator(".bar", has_text="51 / 200").wait_for()
        assert [route.request.url[-1] for route in asked] == ["a"]
        with page.expect_request("**/asset/d"):
            asked[0].fulfill(body=content)
        page.locator("article.layer", has_text="300 splats").wait_for()
        asked[1].fulfill(status=404)  # the run is further again
        routes[0].send(json.dumps({"type": "layers", "layers": [layer("e", content, 5)]}))
        page.locator("article.layer", has_text="step 5").wait_for()
        assert page.locator(".message").count() == 0
        asked[2].fulfill(body=content)
        _page.settle(page)
        assert [route.request.url[-1] for route in asked] == ["a", "d", "e"]
    page.errors.clear()  # the browser has said 404 too


def test_a_field_is_said_to_be_rendered_until_its_first_picture(page: Any) -> None:
    _, routes = play(page)
    with _page.bare_page() as url:
        page.goto(f"{url}#t=token")
        page.locator(".line", has_text="Connected").wait_for()
        drawn = {"shown": "frames", "asset": None, "frames": True, "channels": ["rgb"], "kind": "hash_grid"}
        routes[0].send(json.dumps({"type": "layers", "layers": [layer("", b"", 10) | drawn]}))
        page.locator(".message", has_text="The server draws owl.").wait_for()
        routes[0].send(json.dumps({"type": "problem", "sentence": "No memory.", "seq": None, "layer": 0}))
        page.locator(".notice", has_text="No memory.").wait_for()
        assert "Rendering" in page.inner_text(".message")


def test_the_bar_tells_how_far_the_run_is(page: Any) -> None:
    _, routes = play(page)
    with _page.bare_page() as url:
        _page.open_page(page, f"{url}#t=token")
        page.locator(".bar", has_text="Fitting 50 / 200").wait_for()
        routes[0].send(json.dumps(RUN | {"state": "paused", "step": 60}))
        page.locator(".bar", has_text="Paused 60 / 200").wait_for()
        routes[0].send(json.dumps(RUN | {"state": "finished", "step": 200}))
        page.locator(".bar:not(:has-text('200'))").wait_for()
        assert page.inner_text(".running") == ""


def test_a_scene_that_does_not_come_is_said(page: Any) -> None:
    page.route("**/asset/*", lambda route: route.fulfill(status=404))
    _, routes = play(page)
    with _page.bare_page() as url:
        page.goto(f"{url}#t=token")
        page.locator(".line", has_text="Connected").wait_for()
        routes[0].send(json.dumps({"type": "layers", "layers": [layer("gone", b"", 10)]}))
        page.locator(".message", has_text="cannot be shown").wait_for()
        assert "no such scene any more" in page.inner_text(".message")
    page.errors.clear()  # the browser has said 404 too


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
