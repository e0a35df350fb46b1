"""A scene as one page: whole, with nothing to fetch, and nothing in it that a name could do."""

from __future__ import annotations

import base64
import io
import json
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from distill3d import files
from distill3d.__main__ import main
from distill3d.camera import ORBIT_FOV_Y_RAD
from distill3d.errors import UserError
from distill3d.formats import ply_gaussians
from distill3d.ops.ssim import ssim
from distill3d.viewer import export_html
from distill3d.viewer.server import STATIC
from distill3d.viewer.showing import show
from distill3d.viewer.stage import Entry, Stage
from tests.viewer.conftest import camera, stand_in

EVIL = "</script><img src=x onerror=alert(1)><!-- <script>"
needs_page = pytest.mark.skipif(not (STATIC / "app.js").is_file(), reason="the viewer's page is not built")


class Scripts(HTMLParser):
    """The scripts of a page, as a browser would split it, and whatever other elements there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and self.scripts:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)


def stage_of(path: Path, name: str) -> Stage:
    stage = Stage(name)
    stage.add(Entry(name, show(files.load(path))))
    return stage


def test_the_page_holds_the_scene_and_what_a_server_would_say(
    scenes: dict[str, Path], tmp_path: Path
) -> None:
    static = stand_in(tmp_path)
    (static / "index.html").write_text(
        '<html><head></head><body><script src="./app.js"></script></body></html>'
    )
    (static / "app.js").write_text('const a = "</script><!--", b = 1;')
    found = Scripts(export_html.page(stage_of(scenes["ball"], EVIL), static))
    assert found.tags == ["html", "head", "meta", "body", "script", "script", "script"]
    (_, welcome), (asset, data), (_, program) = found.scripts
    (layer,) = json.loads(welcome)["layers"]
    assert layer["name"] == EVIL and not layer["frames"] and layer["properties"] == []
    assert asset["id"] == f"d3d-asset-{layer['asset']}"
    state = ply_gaussians.read(base64.b64decode(data))
    assert len(state["means"]) == layer["primitives"] == 300
    assert program == r'const a = "\x3c/script>\x3c!--", b = 1;'


def test_a_field_is_a_mesh_on_a_page_and_refused_by_itself(scenes: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot draw by itself"):
        export_html.write(files.load(scenes["field"]), tmp_path / "page.html", "field")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("words", [["--frame", "y-up"], ["--frame", "source"]])
def test_a_page_has_our_world(
    scenes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(["export", str(scenes["ball"]), "--out", str(tmp_path / "page.html"), *words]) == 2
    assert "leave it away" in capsys.readouterr().err and not list(tmp_path.iterdir())


@needs_page
@pytest.mark.browser
@pytest.mark.parametrize("name", ["ball", "mesh"])
def test_an_exported_page_shows_the_scene_from_a_disk_without_a_network(
    scenes: dict[str, Path], tmp_path: Path, page: Any, name: str
) -> None:
    out = tmp_path / "page.html"
    assert main(["export", str(scenes[name]), "--out", str(out)]) == 0
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(out.as_uri())
    shot = files.load(scenes[name]).render(camera(160, 120), want={"rgb", "alpha"})[0]
    seen = captured(page, camera(160, 120).world_to_camera[0])
    assert float(ssim(seen, shot.over((1.0, 1.0, 1.0)).detach())) > 0.9, "the page shows what we render"
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked), asked


def captured(page: Any, world_to_camera: Float[Tensor, "4 4"]) -> Float[Tensor, "120 160 3"]:
    """What the page draws from a camera on white, once it has drawn all."""
    until = time.monotonic() + 60
    while not page.evaluate("!!(window.__d3d && window.__d3d.ready)"):
        assert time.monotonic() < until, page.inner_text("body")
        page.wait_for_timeout(50)  # the page's policy forbids what playwright's own waiting does
    page.evaluate(f"window.__d3d.setCamera({world_to_camera.flatten().tolist()}, {ORBIT_FOV_Y_RAD})")
    url = page.evaluate("window.__d3d.capture({width: 160, height: 120, background: '#ffffff'})")
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    return torch.from_numpy(np.asarray(image).astype(np.float32) / 255)
