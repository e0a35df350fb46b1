"""A viewer that serves small scenes, a client that speaks its protocol, and a browser that opens its page."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from websockets.sync.client import ClientConnection, connect

from distill3d import files
from distill3d.camera import Cameras, orbit
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.representations.voxels import Voxels
from distill3d.viewer import wire
from distill3d.viewer.photos import camera_message
from distill3d.viewer.protocol import PROTOCOL
from distill3d.viewer.server import STATIC, Server
from distill3d.viewer.sources import set_stage

CHROMIUM = ("--no-sandbox", "--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist")
"""Headless drawing without a GPU, by Mesa; --no-sandbox because tests may run as root."""
NOISE = ("GPU stall due to ReadPixels", "GroupMarkerNotSet")
"""What software drawing says that is no fault of the page."""

PATIENCE_S = 120.0
"""How long an answer may take: a busy machine can stand still for a minute, and a wrong page stays wrong."""


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of small scenes: Gaussians with view-dependent colour, a field, and a mesh."""
    folder = tmp_path_factory.mktemp("scenes")
    torch.manual_seed(0)
    gaussians = Gaussians.start(count=300, radius=0.6, opacity=0.9)
    sh = torch.zeros(300, 4, 3)
    sh[:, 0] = gaussians.means.detach() / 0.6
    sh[:, 1:] = 0.2 * torch.randn(300, 3, 3)
    ball = Gaussians(gaussians.means, gaussians.wxyz, gaussians.log_scales, gaussians.opacity_logits, sh)
    made = {"ball.ply": ball, "field.safetensors": Voxels.start(), "mesh.glb": Mesh.start(subdivisions=2)}
    for name, scene in made.items():
        files.save(scene, folder / name)
    return {name.partition(".")[0]: folder / name for name in made}


class Talk:
    """A page's side of the protocol, without a page."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.seq = socket, 0

    def hello(self, token: str, protocol: int = PROTOCOL) -> dict[str, Any]:
        """Say hello; the answer."""
        self.say(type="hello", token=token, protocol=protocol)
        return self.hear()

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def ask(self, kind: str, **request: Any) -> int:
        """Send a request; its seq."""
        self.seq += 1
        self.say(type=kind, seq=self.seq, **request)
        return self.seq

    def ask_frame(self, **changes: Any) -> int:
        request = {
            "pane": 0,
            "layer": 0,
            "camera": camera_json(),
            "channel": "rgb",
            "moving": False,
            "depth": True,
            "exact": False,
        }
        return self.ask("request_frame", **(request | changes))

    def hear(self, timeout: float = PATIENCE_S) -> Any:
        """The next message: a dict, or header and payload."""
        data = self.socket.recv(timeout)
        return json.loads(data) if isinstance(data, str) else wire.unpack(data)

    def hear_of(self, *kinds: str, timeout: float = PATIENCE_S) -> dict[str, Any]:
        """The next message of one of these types; others are passed over."""
        while True:
            message = self.hear(timeout)
            if isinstance(message, dict) and message["type"] in kinds:
                return message

    def hear_bytes(self, timeout: float = PATIENCE_S) -> tuple[Any, bytes]:
        """The next binary message; a problem is a failure."""
        while True:
            message = self.hear(timeout)
            if isinstance(message, tuple):
                return message
            assert message["type"] != "problem", message["sentence"]


def camera(width: int = 96, height: int = 64, azimuth_rad: float = 0.4) -> Cameras:
    """A camera [1] on the default orbit."""
    return orbit(torch.tensor([azimuth_rad]), 0.3, width=width, height=height)


def camera_json(width: int = 96, height: int = 64, azimuth_rad: float = 0.4) -> dict[str, Any]:
    return json.loads(wire.encode(camera_message(camera(width, height, azimuth_rad)[0])))


@contextmanager
def talking(server: Server, **headers: Any) -> Iterator[Talk]:
    """A connection to the server's WebSocket, before hello."""
    address = f"{server.address.replace('http', 'ws')}ws"
    with connect(address, max_size=None, proxy=None, **headers) as socket:
        yield Talk(socket)


@contextmanager
def talking_to(url: str) -> Iterator[tuple[Talk, str]]:
    """The same to a server of which only the page's whole address is known; and its token."""
    address, _, token = url.partition("#t=")
    with connect(f"{address.replace('http', 'ws')}ws", max_size=None, proxy=None) as socket:
        yield Talk(socket), token


Serve = Callable[..., Server]


def stand_in(folder: Path) -> Path:
    """A page in `folder` that stands for the built one where that does not matter."""
    (folder / "index.html").write_text('<!doctype html><script src="./app.js"></script>')
    (folder / "app.js").write_text("")
    return folder


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """`serve(*paths, …)` is a running server with these scenes; closed at the end of the test."""
    page = stand_in(tmp_path_factory.mktemp("static"))
    with _closing() as open_server:
        yield lambda *paths, **options: open_server(set_stage(paths, **options), static=page)


@pytest.fixture
def serve_page() -> Iterator[Serve]:
    """`serve_page(*paths, …)` is a running server with these scenes and the built page."""
    if not (STATIC / "index.html").is_file():
        pytest.skip("the viewer's page is not built; make viewer builds it")
    with _closing() as open_server:
        yield lambda *paths, **options: open_server(set_stage(paths, **options))


@contextmanager
def _closing() -> Iterator[Callable[..., Server]]:
    """What starts servers, which are closed at the end."""
    running: list[Any] = []

    def start(*arguments: Any, **options: Any) -> Server:
        context = Server(*arguments, **options).running()
        running.append(context)
        return context.__enter__()

    try:
        yield start
    finally:
        for context in reversed(running):
            context.__exit__(None, None, None)


def chromium_path() -> str | None:
    """Where Chromium is: as DISTILL3D_CHROMIUM says, or Debian's."""
    return os.environ.get("DISTILL3D_CHROMIUM") or shutil.which("chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One headless Chromium for all tests; they are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium; install Debian's chromium, or say where it is with DISTILL3D_CHROMIUM")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=list(CHROMIUM))
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page of 320 x 240 pixels; a test fails if the page has written an error to its console."""
    context = browser.new_context(viewport={"width": 320, "height": 240}, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(1000 * PATIENCE_S)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    opened.errors = errors
    yield opened
    context.close()
    heard = [error for error in errors if not any(noise in error for noise in NOISE)]
    assert heard == [], f"the page has complained: {heard}"
