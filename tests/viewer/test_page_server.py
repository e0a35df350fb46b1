"""The page and its server: who is let in, a line that is cut, and that nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distill3d.viewer.protocol import PROTOCOL
from tests.viewer import _page

pytestmark = pytest.mark.browser


def test_the_page_says_what_it_shows_and_fetches_from_its_server_alone(
    serve_page: Callable[..., Any], page: Any, scenes: dict[str, Path]
) -> None:
    server = serve_page(scenes["ball"], scenes["mesh"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    _page.open_page(page, server.url)
    assert page.inner_text(".line") == "Connected"
    cards = page.locator("article.layer").all_inner_texts()
    assert [card.split("\n")[0] for card in cards] == ["ball.ply", "mesh.glb"]
    assert "300 splats" in cards[0] and "triangles" in cards[1]
    own = server.address.split("://")[1]
    assert all(url.startswith(("blob:", "data:")) or url.split("://")[1].startswith(own) for url in asked), (
        asked
    )
    assert server.token not in "".join(asked)


def test_a_wrong_token_and_a_cut_line_are_said(
    serve_page: Callable[..., Any], page: Any, scenes: dict[str, Path]
) -> None:
    server = serve_page(scenes["ball"])
    page.goto(f"{server.address}#t=wrong")
    page.locator(".message", has_text="no valid token").wait_for()
    assert page.inner_text(".line") == "Refused"


def test_the_page_comes_back_when_the_line_does(page: Any) -> None:
    hellos: list[str] = []

    def answer(route: Any) -> None:
        def hear(text: str) -> None:
            hellos.append(text)
            route.send(
                f'{{"type": "welcome", "protocol": {PROTOCOL}, "version": "0", "title": "cut", '
                '"control": false, "layers": [], "frusta": [], "compare": [], "again": ""}'
            )
            if len(hellos) == 1:
                route.close()

        route.on_message(hear)

    page.route_web_socket("**/ws", answer)
    with _page.bare_page() as url:
        page.goto(f"{url}#t=token")
        page.locator(".line", has_text="Reconnecting").wait_for()
        page.locator(".line", has_text="Connected").wait_for()
    assert len(hellos) == 2 and '"token":"token"' in hellos[1]


def test_names_are_never_html(
    serve_page: Callable[..., Any], page: Any, scenes: dict[str, Path], tmp_path: Path
) -> None:
    evil = tmp_path / "<img src=x onerror=document.title=1>.ply"
    evil.write_bytes(scenes["ball"].read_bytes())
    _page.open_page(page, serve_page(evil).url)
    assert page.locator("article.layer strong").inner_text() == evil.name
    assert page.locator(".side img").count() == 0 and page.title() != "1"


def test_a_browser_without_webgl_is_told(page: Any) -> None:
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    with _page.bare_page() as url:
        page.goto(url)
        page.locator(".message", has_text="no WebGL 2").wait_for()
    page.errors.clear()  # three.js has said so too
