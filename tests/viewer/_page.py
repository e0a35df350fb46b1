"""The page in a test's hands: opened, settled, photographed, and given files."""

from __future__ import annotations

import base64
import http.server
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from distill3d.camera import Cameras
from distill3d.scene import Scene
from distill3d.viewer.meaning import meaning_of
from distill3d.viewer.server import STATIC, Server
from distill3d.viewer.showing import show

SIZE = {"width": 800, "height": 400}
"""Wide enough for the panels to stand beside the scene."""


def open_page(page: Any, url: str) -> None:
    """Open an address and wait until everything in it has been drawn."""
    page.set_viewport_size(SIZE)
    page.goto(url)
    page.wait_for_selector("canvas.scene")
    settle(page)


def settle(page: Any) -> None:
    page.evaluate("__d3d.settle(120000)")


def picture(
    page: Any, width: int = 96, height: int = 96, background: str | None = None, pane: int | None = None
) -> np.ndarray:
    """What is drawn, [height, width, 3] in 0 .. 1."""
    options = {"width": width, "height": height}
    options |= {} if background is None else {"background": background}
    options |= {} if pane is None else {"pane": pane}
    url = page.evaluate("options => __d3d.capture(options)", options)
    image = Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1]))).convert("RGB")
    return np.asarray(image, dtype=np.float32) / 255


def stand(page: Any, camera: Cameras) -> None:
    """Look through one camera, whose centre is the picture's."""
    fov_y_rad = 2 * torch.atan(camera.height / (2 * camera.intrinsics[1]))
    page.evaluate(
        "([pose, fov]) => __d3d.setCamera(pose, fov)",
        [camera.world_to_camera.flatten().tolist(), float(fov_y_rad)],
    )


def stats(page: Any) -> Any:
    return page.evaluate("__d3d.stats")


def drop(page: Any, *files: tuple[str, bytes]) -> None:
    """Let files fall onto the page."""
    data = page.evaluate_handle(
        """files => {
          const data = new DataTransfer();
          for (const [name, text] of files)
            data.items.add(new File([Uint8Array.from(atob(text), c => c.charCodeAt(0))], name));
          return data;
        }""",
        [[name, base64.b64encode(content).decode()] for name, content in files],
    )
    page.dispatch_event("main.stage", "drop", {"dataTransfer": data})


def drop_files(page: Any, paths: Sequence[Path]) -> None:
    drop(page, *[(path.name, path.read_bytes()) for path in paths])
    settle(page)


@contextmanager
def bare_page() -> Iterator[str]:
    """The built page from a server that knows nothing of scenes; its address."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(STATIC))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def exchange(server: Server, layer: int, scene: Scene, *, step: int) -> None:
    """Let the server show another state of a scene, as that of a run that has gone on."""
    assert server._loop is not None
    showing, meaning = show(scene), meaning_of(scene)
    server._loop.call_soon_threadsafe(server.stage.exchange, layer, showing, step, meaning)


def coverage(image: np.ndarray, background: float = 0.0) -> float:
    """The share of pixels that are not the background's."""
    return float((np.abs(image - background).max(-1) > 0.05).mean())
