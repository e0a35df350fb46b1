"""What page and server of the viewer say to each other. These dataclasses are the source of the truth, with
the binary headers beside them in headers.py: `python -m distill3d.viewer.typescript` writes both as
viewer/src/net/protocol.ts, and a test compares the two.

HTTP, one port, only GET; every address is relative to the page's:
    /                 the page            /app.js           its program
    /asset/<id>       a scene's bytes     /photo/<id>       a photograph, small (JPEG)
    /ws               the WebSocket
The ids are random, are told only over the WebSocket, and are no paths. An asset's bytes never change: a scene
that changes gets another id. The token stands in the fragment of the page's address (`/#t=TOKEN`), which
browsers keep to themselves; the page sends it in `Hello`, its first message. Until it has, the server tells
nothing, and hangs up.

Text messages are JSON objects, one dataclass each, told apart by `type`; field names are the same here and
there, None is null and tuples are arrays. Binary messages come from the server alone and begin with a header
of 32 bytes, little endian, told apart by its first byte: `FrameHeader` (1: a picture, 2: a difference) and
`ArrayHeader` (3).

A conversation:
    page                                 server
    Hello                                Welcome (layers, frusta, what to compare), then Run and Metrics of
                                         each run; or Problem and a close code (see below)
    RequestFrame(seq, pane, layer, …)    a FrameHeader message with the same seq, coarse to fine until `last`
    RequestDifference(seq, …)            Scores, then a FrameHeader message of kind 2
    RequestProperty, RequestQuery        an ArrayHeader message
    RequestPick                          Picked
    Scrub(run, step)                     Layers: the run's layer with another asset
    Control(run, action)                 Run, as soon as it has come about
    anything it cannot do                Problem with that seq
    nothing                              Layers, Run, Metrics whenever these change; Goodbye before it ends

`seq` is chosen by the page and grows. A newer RequestFrame for the same (pane, layer) replaces one that
waits, and ends the refinement of one at work; the answers to requests that were replaced never come. One
request of a page is rendered at a time.

Coordinates: the world is right-handed with +z up; objects face +x. Cameras are OpenCV's (x right, y down,
z forward) with pixel centres at +0.5. An asset's coordinates are those of the world less `Layer.offset`, so
that half floats do. glTF and OBJ are +y up and face +z: what is (x, y, z) in the world is (y, z, x) in a
.glb, which the page turns back, one of ours like one that is dropped. A page that has moved a layer by
x ↦ s R x + t asks for the layer with the camera it would have in the layer's own world: rotation W R,
translation (W t + w) / s; depth in the answer is then times s.

A page without a server (`distill3d export SCENE --out page.html`) holds the same Welcome as
`<script type="application/json" id="d3d-welcome">`, and every asset and photograph in base64 as
`<script type="application/octet-stream+base64" id="d3d-asset-<id>">` or `id="d3d-photo-<id>"`; layers that
are shown as frames are not in it. The built index.html has exactly one script, `src="./app.js"`, which the
program itself replaces there, and its styles within itself or the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PROTOCOL = 3
"""Raised whenever page and server of different versions would misunderstand each other."""

MAX_SIDE_PX = 2048
"""Of a rendered frame; a larger request is a Problem."""
MAX_MESSAGE_BYTES = 65536
"""From the page to the server; a longer message ends the conversation with close code 1009."""
WRONG_TOKEN, WRONG_PROTOCOL, TOO_MANY = 4401, 4426, 4429
"""Close codes of the WebSocket."""

Channel = Literal["rgb", "depth", "normal", "alpha", "contributions"]
"""depth: grey, near is bright. normal: (n + 1) / 2 in the world. contributions: how many primitives a pixel
blends, in colours."""
Action = Literal["pause", "resume", "stop"]
State = Literal["running", "paused", "stopped", "finished", "failed"]
Shown = Literal["splats", "mesh", "frames"]
"""Drawn in the page from .ply bytes, or from .glb bytes; or rendered by the server."""
Vector = tuple[float, float, float]
Matrix = tuple[float, ...]
"""4 x 4, row by row."""


@dataclass(frozen=True)
class Camera:
    """One pinhole camera."""

    world_to_camera: Matrix
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    width: int
    height: int


@dataclass(frozen=True)
class Property:
    """Something known of every primitive of a layer, in the order of its asset's primitives."""

    name: str
    label: str
    """For people, with its unit."""
    kind: Literal["scalar", "colour"]


@dataclass(frozen=True)
class Layer:
    """One scene."""

    id: int
    name: str
    """For people; comes from file names and may hold anything: never HTML."""
    kind: str
    """Of scene: gaussians, surfels, mesh, hash_grid …"""
    shown: Shown
    asset: str | None
    """What /asset/<id> has; None if shown as frames."""
    format: Literal["ply", "glb"] | None
    asset_bytes: int
    offset: Vector
    """Where the asset's origin is in the world."""
    centre: Vector
    """Around which the scene lies, in the world, without stray primitives."""
    radius: float
    primitives: int
    """Gaussians, surfels or triangles; 0 for a field."""
    parameters: int
    """Numbers that the scene holds."""
    frames: bool
    """Whether the server renders the layer too: RequestFrame is then the exact picture."""
    channels: tuple[Channel, ...]
    """Which it renders."""
    antialiased: bool
    """Whether splats keep their energy when they are smaller than a pixel (as Mip-Splatting)."""
    psnr: float | None
    """dB, and SSIM, on what the scene was made from, if it was measured."""
    ssim: float | None
    properties: tuple[Property, ...]
    coloured_by: str
    """The property by which it is coloured at first; empty for its own colours."""
    queries: bool
    """Whether RequestQuery can be asked: for words, or for what is like a primitive."""
    run: int | None
    """The run that the scene comes from, if that can be watched."""
    step: int | None
    """After which the scene stood so, if it comes from a run."""


@dataclass(frozen=True)
class Frustum:
    """A camera of a dataset."""

    name: str
    camera: Camera
    photo: str | None
    """What /photo/<id> has."""
    held_out: bool
    """Not learned from."""


# ---------------------------------------------------------------- from the page


@dataclass(frozen=True)
class Hello:
    """The first message."""

    token: str
    protocol: int
    type: Literal["hello"] = "hello"


@dataclass(frozen=True)
class RequestFrame:
    """A layer as this camera sees it."""

    seq: int
    pane: int
    """0 to 3: which of the linked panes asks."""
    layer: int
    camera: Camera
    """Of the finest frame; coarser ones come first if they are needed."""
    channel: Channel
    moving: bool
    """One frame, as fine as it can be had at once; the page asks again when the camera rests."""
    depth: bool
    """Whether depth comes with it."""
    exact: bool
    """Only the finest, without loss (PNG instead of JPEG)."""
    type: Literal["request_frame"] = "request_frame"


@dataclass(frozen=True)
class RequestDifference:
    """|A - B| of two layers, both rendered by the server on one background, with PSNR and SSIM."""

    seq: int
    layer: int
    other: int
    camera: Camera
    background: Vector
    type: Literal["request_difference"] = "request_difference"


@dataclass(frozen=True)
class RequestProperty:
    """One of `Layer.properties`."""

    seq: int
    layer: int
    name: str
    type: Literal["request_property"] = "request_property"


@dataclass(frozen=True)
class RequestQuery:
    """How well each primitive fits some words, or the primitive that was clicked: a cosine, as scalars."""

    seq: int
    layer: int
    text: str | None
    primitive: int | None
    type: Literal["request_query"] = "request_query"


@dataclass(frozen=True)
class RequestPick:
    """What is under the cursor."""

    seq: int
    layer: int
    camera: Camera
    x_px: float
    y_px: float
    type: Literal["request_pick"] = "request_pick"


@dataclass(frozen=True)
class Scrub:
    """Show a run as it was after a step of its time line, or as it is (None)."""

    run: int
    step: int | None
    type: Literal["scrub"] = "scrub"


@dataclass(frozen=True)
class Control:
    """Hold a run, let it go on, or end it; only where Welcome.control is true."""

    run: int
    action: Action
    type: Literal["control"] = "control"


# ---------------------------------------------------------------- from the server


@dataclass(frozen=True)
class Welcome:
    """The answer to Hello."""

    protocol: int
    version: str
    """Of distill3d."""
    title: str
    control: bool
    layers: tuple[Layer, ...]
    frusta: tuple[Frustum, ...]
    compare: tuple[int, ...]
    """Layers to set side by side as soon as all of them are there; empty for none."""
    again: str
    """The command that opens all this again; empty where none does."""
    type: Literal["welcome"] = "welcome"


@dataclass(frozen=True)
class Layers:
    """All layers, after one has changed."""

    layers: tuple[Layer, ...]
    type: Literal["layers"] = "layers"


@dataclass(frozen=True)
class Mark:
    """A stage of a run: the scene may be of another kind from here on, and the loss another loss."""

    after: int
    """The step after which it begins, counted from the beginning of the run."""
    name: str


@dataclass(frozen=True)
class Run:
    """Where a run stands."""

    run: int
    name: str
    doing: str
    """What it does, while it runs: Fitting, Lifting …"""
    state: State
    step: int
    steps: int
    checkpoints: tuple[int, ...]
    """Steps that Scrub knows."""
    sentence: str
    """Why it failed or stopped; empty otherwise."""
    marks: tuple[Mark, ...]
    """Its stages that have begun; empty for a run that has none."""
    type: Literal["run"] = "run"


@dataclass(frozen=True)
class Metric:
    """One step's numbers."""

    step: int
    seconds: float
    loss: float | None
    """None where it was not finite."""
    parts: dict[str, float]


@dataclass(frozen=True)
class Metrics:
    """More of a run's numbers; of a long history some steps only."""

    run: int
    lines: tuple[Metric, ...]
    type: Literal["metrics"] = "metrics"


@dataclass(frozen=True)
class Scores:
    """How alike two layers look from this camera; the map follows as a binary message."""

    seq: int
    psnr: float | None
    """dB; None if nothing differs."""
    ssim: float
    largest: float
    """The largest difference of a channel, in [0, 1], which is the brightest of the map."""
    type: Literal["scores"] = "scores"


@dataclass(frozen=True)
class Fact:
    """A line to show of a primitive."""

    label: str
    value: str


@dataclass(frozen=True)
class Picked:
    """What was under the cursor; primitive None if nothing was."""

    seq: int
    layer: int
    primitive: int | None
    point: Vector | None
    """Where the surface is, in the world."""
    facts: tuple[Fact, ...]
    type: Literal["picked"] = "picked"


@dataclass(frozen=True)
class Problem:
    """One sentence of what could not be done, and what to do."""

    sentence: str
    seq: int | None
    """Of the request, if it was one."""
    layer: int | None
    type: Literal["problem"] = "problem"


@dataclass(frozen=True)
class Goodbye:
    """The server ends; the page keeps what it has drawn, and does not call again by itself."""

    sentence: str
    """What has happened."""
    type: Literal["goodbye"] = "goodbye"


FromPage = (
    Hello | RequestFrame | RequestDifference | RequestProperty | RequestQuery | RequestPick | Scrub | Control
)
FromServer = Welcome | Layers | Run | Metrics | Scores | Picked | Problem | Goodbye
