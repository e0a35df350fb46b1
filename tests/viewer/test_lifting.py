"""Liftings that are looked at: features come to the scene while pictures are taken in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill3d import files
from distill3d.__main__ import main
from distill3d.representations.gaussians import Gaussians
from distill3d.viewer import wire
from distill3d.viewer.properties import FROM_FILE, MEANING
from distill3d.viewer.sources import set_stage
from tests.viewer import _page
from tests.viewer.conftest import STATIC, Talk, talking_to
from tests.viewer.test_copying import during

FEW = [
    *("--features.prompt", "a castle", "--features.instance", "0", "--features.channels", "6"),
    *("--views", "3", "--size", "32", "--refine", "1", "--picture-size", "16"),
]
needs_page = pytest.mark.skipif(not (STATIC / "app.js").is_file(), reason="the viewer's page is not built")


@pytest.fixture
def ball(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Gaussians that are taken for a castle."""
    monkeypatch.chdir(tmp_path)
    files.save(Gaussians.start(count=200, radius=0.6, opacity=0.9), tmp_path / "ball.ply")
    return "ball.ply"


def _heard(talk: Talk, token: str, finished: bool) -> tuple[Any, Any, Any, Any]:
    """The layer, the run and its numbers; and how reliable each Gaussian's features are."""
    layers, run, lines = talk.hello(token)["layers"], None, None
    while not layers or (layers[0]["step"] is None) != finished or run is None or lines is None:
        message = talk.hear()
        layers = message["layers"] if message["type"] == "layers" else layers
        run = message if message["type"] == "run" else run
        lines = message["lines"] if message["type"] == "metrics" else lines
    talk.ask("request_property", layer=0, name=f"{FROM_FILE}reliability")
    header, payload = talk.hear_bytes()
    assert header.count == 200
    return layers[0], run, lines, np.frombuffer(payload, np.float32)


@needs_page
def test_features_come_to_the_scene_while_it_is_looked_at(
    ball: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(address: str, when: str) -> Any:
        with talking_to(address) as (talk, token):
            heard = _heard(talk, token, when == "finished")
            talk.ask("request_query", layer=0, text="the roofs", primitive=None)
            return *heard, talk.hear_bytes()

    seen = during(monkeypatch, capsys, look)
    assert main(["lift", ball, *FEW, "--out", "run", "--view", "--control"]) == 0
    assert len(seen) == 2
    for layer, run, lines, reliability, (header, payload) in seen:
        assert (layer["name"], layer["kind"], layer["coloured_by"]) == ("run", "gaussians", MEANING)
        assert [p["name"] for p in layer["properties"]][2:4] == [MEANING, f"{FROM_FILE}reliability"]
        assert layer["queries"] and run["steps"] == 4 and run["checkpoints"]
        assert lines[0]["step"] == 1 and {"seen", "reliability"} <= set(lines[0]["parts"])
        assert 0 < reliability.max() <= 1
        assert header.count == 200 and np.frombuffer(payload, np.float32).max() > 0.5
    again = set_stage([Path("run")]).stage
    assert again.layers[0].coloured_by == MEANING
    assert wire.encode(again.layers[0])
    assert set_stage([Path("ball.ply")]).stage.layers[0].coloured_by == ""


@needs_page
@pytest.mark.browser
def test_the_page_shows_features_as_colours_from_the_beginning(
    ball: str, page: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(address: str, when: str) -> Any:
        if when == "training":
            _page.open_page(page, address)
            _page.settle(page)
        else:
            page.locator("#panel-live", has_text="4 / 4").wait_for()
        page.wait_for_function("document.querySelector('[aria-label=\"Colour by\"]').value === 'meaning'")
        _page.settle(page)
        picture = _page.picture(page, 64, 64, "#000", 0).astype(float)
        return page.locator("#panel-live").inner_text(), np.abs(picture[..., 0] - picture[..., 1]).max()

    seen = during(monkeypatch, capsys, look)
    assert main(["lift", ball, *FEW, "--out", "run", "--view"]) == 0
    assert len(seen) == 2
    assert "Lifting" in seen[0][0]
    for live, colourful in seen:
        assert "reliability" in live and "seen" in live
        assert colourful > 0.3, "the Gaussians are grey, and their features are not"
