"""Conversions that are looked at: source and copy lie in one place and stand side by side, from the start."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distill3d import files
from distill3d.__main__ import main
from distill3d.commands import _live
from distill3d.conversions.moved import moved
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.viewer.copying import Original
from distill3d.viewer.sources import set_stage
from tests.viewer import _page
from tests.viewer.conftest import STATIC, Talk, talking_to

AWAY = torch.tensor([[3.0, 0, 0, 9], [0, 3, 0, 0], [0, 0, 3, -2], [0, 0, 0, 1]], dtype=torch.float64)
FEW = ["--views", "2", "--size", "16", "--picture-size", "16", "--resolution", "0", "--steps", "4"]
needs_page = pytest.mark.skipif(not (STATIC / "app.js").is_file(), reason="the viewer's page is not built")


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gaussians far from the origin, and larger than the unit ball."""
    monkeypatch.chdir(tmp_path)
    files.save(moved(Gaussians.start(count=60, radius=0.6), AWAY), tmp_path / "far.ply")
    return tmp_path / "far.ply"


def test_a_result_comes_to_lie_where_its_source_is_copied(far: Path) -> None:
    """Moving there what was put back restores it; what lies in the unit ball stays what it is."""
    original = Original.open(far)
    assert isinstance(original.centre, Gaussians) and isinstance(original.given, Gaussians)
    result = original.beside(original.given)
    assert isinstance(result, Gaussians)
    assert original.centre.means.norm(dim=1).max() <= 1
    torch.testing.assert_close(result.means, original.centre.means, atol=1e-5, rtol=0)
    torch.testing.assert_close(result.log_scales, original.centre.log_scales, atol=1e-5, rtol=0)
    files.save(Mesh.start(subdivisions=1), far.with_name("near.glb"))
    near = Original.open(far.with_name("near.glb"))
    assert near.centre is near.given and near.beside(near.given) is near.given


def during(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], look: Callable[[str, str], Any]
) -> list[Any]:
    """What `look(address, when)` returns, called with the viewer's address while a run trains and after."""
    seen: list[Any] = []
    addresses: list[str] = []
    after = _live.Pages.after

    def step(pages: _live.Pages, number: int, *rest: Any) -> bool:
        stop = after(pages, number, *rest)
        if number == 3:
            addresses.extend(re.findall(r"http://\S+", capsys.readouterr().out))
            seen.append(look(addresses[0], "training"))
        return stop

    monkeypatch.setattr(_live.Pages, "after", step)
    monkeypatch.setattr(_live.Pages, "finished", lambda pages: seen.append(look(addresses[0], "finished")))
    return seen


@needs_page
def test_a_conversion_is_looked_at_beside_its_source_while_it_trains_and_after(
    far: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(address: str, when: str) -> Any:
        with talking_to(address) as (talk, token):
            return _heard(talk, token, step=when == "training")

    seen = during(monkeypatch, capsys, look)
    assert main(["convert", str(far), "--to", "surfels", *FEW, "--out", "copy", "--view"]) == 0
    assert len(seen) == 2
    for layers, run, lines in seen:
        source, copy = layers
        assert (source["name"], source["kind"], copy["name"], copy["kind"]) == (
            *("far.ply", "gaussians"),
            *("copy", "surfels"),
        )
        assert (source["run"], copy["run"]) == (None, 0)
        assert sum(x * x for x in copy["centre"]) < 0.05 and 0.3 < copy["radius"] < 1, "where its source is"
        assert abs(source["radius"] - copy["radius"]) < 0.2
        assert run["steps"] == 4 and run["checkpoints"] and lines[0]["step"] == 1
    again = set_stage([Path("copy")]).stage
    assert [entry.name for entry in again.entries] == ["far.ply", "copy"] and again.compare == (0, 1)
    assert sum(x * x for x in again.entries[1].showing.centre) < 0.05
    assert again.again == "distill3d view copy"


def _heard(talk: Talk, token: str, *, step: bool) -> tuple[Any, Any, Any]:
    """The layers once there are two, the copy at a step or finished; and the run with its numbers."""
    welcome = talk.hello(token)
    assert welcome["compare"] == [0, 1] and welcome["layers"][0]["name"] == "far.ply"
    layers, run, lines = welcome["layers"], None, None
    while len(layers) < 2 or (layers[1]["step"] is None) == step or run is None or lines is None:
        message = talk.hear()
        layers = message["layers"] if message["type"] == "layers" else layers
        run = message if message["type"] == "run" else run
        lines = message["lines"] if message["type"] == "metrics" else lines
    return layers, run, lines


@needs_page
@pytest.mark.browser
def test_the_page_sets_a_conversion_beside_its_source_as_soon_as_there_is_a_copy(
    far: Path, page: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(address: str, when: str) -> Any:
        if when == "training":
            _page.open_page(page, address)
            page.locator(".tag[data-side='1']").wait_for()
            _page.settle(page)
        else:
            page.locator("#panel-live", has_text="4 / 4").wait_for()
        panes = [_page.coverage(_page.picture(page, 64, 64, "#000", pane)) for pane in (0, 1)]
        return _page.stats(page)["mode"], page.locator("#panel-live").inner_text(), panes

    seen = during(monkeypatch, capsys, look)
    assert main(["convert", str(far), "--to", "surfels", *FEW, "--out", "copy", "--view"]) == 0
    for mode, live, panes in seen:
        assert mode == "side" and "copy" in live and "loss" in live and "Time line" in live
        assert min(panes) > 0.02 and 0.5 < panes[0] / panes[1] < 2
