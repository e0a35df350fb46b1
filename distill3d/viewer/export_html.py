"""A scene as one page: the viewer with the scene in it, which opens from a disk and needs no network."""

from __future__ import annotations

import base64
import dataclasses
import re
from pathlib import Path

from distill3d import __version__, atomic
from distill3d.errors import UserError
from distill3d.scene import Scene
from distill3d.viewer import wire
from distill3d.viewer.server import STATIC
from distill3d.viewer.showing import show
from distill3d.viewer.stage import Entry, Stage

SUFFIX = ".html"
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'unsafe-inline' 'wasm-unsafe-eval' blob: data:",
        "worker-src blob: data:",
        "img-src data: blob:",
        "media-src blob:",
        "connect-src data: blob:",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
"""What the page may do: draw what it holds. Nothing can be fetched from anywhere."""
PROGRAM = re.compile(r"""<script([^>]*) src="(?:\./)?app\.js"([^>]*)></script>""")


def write(scene: Scene, path: Path, name: str) -> None:
    """Write the page of one scene, called `name` in it.

    Raises UserError for a scene that only the server can draw, or if the viewer's page has not been built.
    """
    stage = Stage(name)
    entry = stage.entries[stage.add(Entry(name, show(scene)))]
    if not entry.assets:
        raise UserError(f"{name} is a field, which a page cannot draw by itself; export a mesh of it")
    atomic.write(path, page(stage, STATIC).encode())


def page(stage: Stage, static: Path) -> str:
    """The built page in `static`, with its program and all assets of a stage inside."""
    if not (static / "index.html").is_file():
        raise UserError(f"the viewer's page is not built ({static} lacks index.html); run make viewer")
    frame, program = ((static / name).read_text(encoding="utf-8") for name in ("index.html", "app.js"))
    if len(PROGRAM.findall(frame)) != 1 or "<head>" not in frame:
        raise UserError(f"{static}/index.html has not one script and a head; run make viewer again")
    policy = f'<head>\n    <meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
    inside = "\n".join([_welcome(stage), *_assets(stage), f"<script>{_within_script(program)}</script>"])
    return PROGRAM.sub(lambda _: inside, frame.replace("<head>", policy, 1))


def _welcome(stage: Stage) -> str:
    """What a server would say first; nothing is rendered or worked out elsewhere."""
    alone = [dataclasses.replace(layer, frames=False, channels=(), properties=()) for layer in stage.layers]
    message = dataclasses.replace(stage.welcome(__version__), layers=tuple(alone))
    text = wire.encode(message).replace("<", "\\u003c")
    return f'<script type="application/json" id="d3d-welcome">{text}</script>'


def _assets(stage: Stage) -> list[str]:
    found = [(layer.asset, stage.asset(layer.asset)) for layer in stage.layers if layer.asset]
    return [
        f'<script type="application/octet-stream+base64" id="d3d-asset-{name}">'
        f"{base64.b64encode(asset[0]).decode()}</script>"
        for name, asset in found
        if asset is not None
    ]


def _within_script(program: str) -> str:
    """JavaScript that means the same and ends no <script> before its time."""
    return re.sub(r"<(/script|script|!--)", r"\\x3c\1", program, flags=re.IGNORECASE)
