"""Hands: what mouse, wheel, fingers and keys do to the camera and to the layers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill3d.viewer.sources import set_stage
from tests.viewer import _page
from tests.viewer.conftest import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(scenes: dict[str, Path]) -> Iterator[str]:
    """One server for all tests of this file, which only look."""
    with Server(set_stage([scenes["ball"], scenes["mesh"]])).running() as server:
        yield server.url


@pytest.fixture
def opened(page: Any, url: str) -> Any:
    _page.open_page(page, url)
    return page


def pose(page: Any) -> tuple[np.ndarray, np.ndarray]:
    """Where the eye is, and the rotation from the world to the camera."""
    matrix = np.array(page.evaluate("__d3d.getCamera().worldToCamera")).reshape(4, 4)
    return -matrix[:3, :3].T @ matrix[:3, 3], matrix[:3, :3]


def drag(page: Any, dx: int, dy: int, **options: Any) -> None:
    page.mouse.move(240, 200)
    page.mouse.down(**options)
    page.mouse.move(240 + dx, 200 + dy, steps=4)
    page.mouse.up(**options)


def test_dragging_walks_around_the_scene_or_sideways(opened: Any) -> None:
    eye, turn = pose(opened)
    drag(opened, 60, 20)
    here, there = pose(opened), np.linalg.norm(eye)
    assert np.linalg.norm(here[0] - eye) > 0.2 and abs(np.linalg.norm(here[0]) - there) < 1e-3
    for options in ({"button": "right"}, {"button": "left"}):
        if options["button"] == "left":
            opened.keyboard.down("Shift")
        before = pose(opened)
        drag(opened, 40, 0, **options)
        after = pose(opened)
        np.testing.assert_allclose(after[1], before[1], atol=1e-6)
        moved = before[1] @ (after[0] - before[0])
        assert moved[0] < -0.05 and np.abs(moved[1:]).max() < 1e-6, "to the left, as the scene goes right"
    opened.keyboard.up("Shift")
    assert np.abs(pose(opened)[1] - turn).max() > 0.05


def test_the_wheel_comes_nearer_and_keys_frame_the_scene_again(opened: Any) -> None:
    eye, turn = pose(opened)
    opened.mouse.move(240, 200)
    opened.mouse.wheel(0, -400)
    opened.wait_for_function("far => Math.hypot(...eye()) < 0.9 * far", arg=float(np.linalg.norm(eye)))
    for again in (
        lambda: opened.keyboard.press("0"),
        lambda: opened.keyboard.press("."),
        lambda: opened.mouse.dblclick(240, 200),
    ):
        drag(opened, 0, -60, button="right")
        moved = pose(opened)[0]
        again()
        assert np.linalg.norm(pose(opened)[0] - moved) > 0.1
        _page.settle(opened)
        picture = _page.picture(opened, 96, 96, "#000").max(-1) > 0.1
        middle = np.argwhere(picture).mean(0)
        assert np.abs(middle - 47.5).max() < 8, "what is framed lies in the middle"
    np.testing.assert_allclose(pose(opened)[1], turn, atol=1e-5)


PICTURES_GO_BY = """() => new Promise((done) => {
    let left = 6;
    const next = () => (left-- ? requestAnimationFrame(next) : done());
    next();
})"""


def at_rest(page: Any) -> tuple[Any, Any]:
    """The pose when it no longer changes from picture to picture: a key let go is heard a little later."""
    before = pose(page)
    while True:
        page.evaluate(PICTURES_GO_BY)
        now = pose(page)
        if np.array_equal(now[0], before[0]):
            return now
        before = now


def test_flying_looks_around_and_goes_where_one_looks(opened: Any) -> None:
    opened.keyboard.press("g")
    opened.locator(".notice", has_text="Flying").wait_for()
    eye, turn = pose(opened)
    drag(opened, 30, 10)
    here, looking = pose(opened)
    np.testing.assert_allclose(here, eye, atol=1e-6)
    assert np.abs(looking - turn).max() > 0.03
    for key, axis, sign in (("w", 2, 1), ("s", 2, -1), ("d", 0, 1), ("a", 0, -1), ("e", 1, -1), ("q", 1, 1)):
        before, turn = at_rest(opened)
        opened.keyboard.down(key)
        opened.wait_for_function(
            "([x, y, z]) => { const at = eye(); return Math.hypot(at[0] - x, at[1] - y, at[2] - z) > 0.03; }",
            arg=before.tolist(),
        )
        opened.keyboard.up(key)
        step = turn @ (at_rest(opened)[0] - before)  # the camera's right, down, forward
        assert sign * step[axis] > 0.02 and np.abs(np.delete(step, axis)).max() < 1e-6, key
    before, turn = at_rest(opened)
    opened.mouse.wheel(0, -200)
    opened.wait_for_function("([x]) => Math.abs(eye()[0] - x) > 0.01", arg=before.tolist())
    assert (turn @ (at_rest(opened)[0] - before))[2] > 0.02
    opened.keyboard.press("g")
    opened.locator(".notice", has_text="Orbiting").wait_for()


def test_flight_never_goes_back_where_a_frame_began_before_its_key(opened: Any) -> None:
    """A frame's time is when it began: on a busy machine well before a key that it comes after."""
    before, turn = at_rest(opened)
    opened.evaluate(
        """() => {
          const next = window.requestAnimationFrame.bind(window);
          window.requestAnimationFrame = (draw) => next((began) => draw(began - 200));
          window.way = [];
          const note = () => { window.way.push([...eye()]); next(note); };
          note();
        }"""
    )
    opened.keyboard.down("w")
    opened.wait_for_function("([x]) => Math.abs(eye()[0] - x) > 0.03", arg=before.tolist())
    opened.keyboard.up("w")
    opened.evaluate(PICTURES_GO_BY)
    way = (np.array(opened.evaluate("way")) - before) @ turn[2]
    assert way[-1] > 0.03 and np.diff(way).min() > -1e-9


def test_two_fingers_pinch_and_one_walks_around(browser: Any, url: str) -> None:
    context = browser.new_context(viewport=_page.SIZE, has_touch=True)
    page = context.new_page()
    page.add_init_script(EYE)
    _page.open_page(page, url)
    fingers = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[int, int]) -> None:
        touches = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    eye, turn = pose(page)
    touch("touchStart", (240, 200))
    for x in (250, 270, 290):
        touch("touchMove", (x, 200))
    touch("touchEnd")
    walked, turned = pose(page)
    assert np.linalg.norm(walked - eye) > 0.2 and np.abs(turned - turn).max() > 0.05
    touch("touchStart", (220, 200), (260, 200))
    for apart in (10, 20, 40):
        touch("touchMove", (220 - apart, 200), (260 + apart, 200))
    touch("touchEnd")
    near, still = pose(page)
    np.testing.assert_allclose(still, turned, atol=1e-6)
    assert np.linalg.norm(near) < 0.6 * np.linalg.norm(walked)
    context.close()


def test_layers_are_chosen_hidden_turned_and_scaled(opened: Any) -> None:
    chosen = "article.layer[aria-current='true'] strong"
    assert opened.locator(chosen).inner_text() == "ball.ply"
    both = _page.picture(opened, background="#000")
    opened.keyboard.press("v")
    _page.settle(opened)
    flat = _page.picture(opened, background="#000")
    assert [layer["visible"] for layer in _page.stats(opened)["layers"]] == [False, True]
    assert np.abs(both - flat).mean() > 0.01
    opened.keyboard.press("]")
    assert opened.locator(chosen).inner_text() == "mesh.glb"
    card = opened.locator("article.layer[aria-current='true']")
    card.get_by_label("Lit").check()
    _page.settle(opened)
    lit = _page.picture(opened, background="#000")
    assert _page.coverage(lit) == pytest.approx(_page.coverage(flat), abs=0.02)
    inside = flat.max(-1) > 0.1
    assert lit[inside].std() > flat[inside].std() + 0.02, "light and shade"
    card.get_by_label("Scale").fill("0.5")
    card.get_by_label("Scale").press("Enter")
    _page.settle(opened)
    small = _page.coverage(_page.picture(opened, background="#000"))
    assert small == pytest.approx(_page.coverage(lit) / 4, rel=0.25)
    card.get_by_role("button", name="Reset").click()
    _page.settle(opened)
    np.testing.assert_allclose(_page.picture(opened, background="#000"), lit, atol=0.02)


EYE = """
window.eye = () => {
  const m = __d3d.getCamera().worldToCamera;
  return [0, 1, 2].map((i) => -(m[i] * m[3] + m[4 + i] * m[7] + m[8 + i] * m[11]));
};
"""


@pytest.fixture(autouse=True)
def _with_eye(request: pytest.FixtureRequest) -> None:
    """`eye()` in the page: where it is looked from."""
    if "opened" in request.fixturenames:
        page: Any = request.getfixturevalue("page")
        page.add_init_script(EYE)
