"""Particles of several runs side by side, with circles where the modes are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from distill3d import atomic
from distill3d.bench._plane import INLIER, WORLDS

INK, FAINT, PAPER, PARTICLE = "#1d2433", "#c9ced8", "#ffffff", "#2f6fb0"
SIDE, GAP, TITLE = 260, 14, 26
REACH = 3.0
"""World units from the middle of a panel to its edge."""
SHARPNESS = 2


@dataclass(frozen=True)
class Panel:
    """The end of a run."""

    title: str
    world: str
    places: Sequence[Sequence[float]]


def draw(panels: Sequence[Panel], *, columns: int) -> Image.Image:
    """The panels in rows of `columns`."""
    rows = -(-len(panels) // columns)
    width, height = columns * (SIDE + GAP) + GAP, rows * (SIDE + TITLE + GAP) + GAP
    image = Image.new("RGB", (width * SHARPNESS, height * SHARPNESS), PAPER)
    for i, panel in enumerate(panels):
        left, top = GAP + (i % columns) * (SIDE + GAP), GAP + (i // columns) * (SIDE + TITLE + GAP)
        image.paste(_panel(panel), (left * SHARPNESS, top * SHARPNESS))
    return image


def _panel(panel: Panel) -> Image.Image:
    side = SIDE * SHARPNESS
    image = Image.new("RGB", (side, side + TITLE * SHARPNESS), PAPER)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(13 * SHARPNESS)
    pen.text((0, TITLE * SHARPNESS / 2), panel.title, INK, font=font, anchor="lm")
    pen.rectangle((0, TITLE * SHARPNESS, side - 1, side + TITLE * SHARPNESS - 1), outline=FAINT)

    def disc(
        x: float, y: float, radius: float, *, fill: str | None = None, outline: str | None = None
    ) -> None:
        if max(abs(x), abs(y)) + radius > REACH:
            return
        across = (x / REACH + 1) / 2 * side
        down = (1 - y / REACH) / 2 * side + TITLE * SHARPNESS
        r = radius / REACH / 2 * side
        pen.ellipse((across - r, down - r, across + r, down + r), fill, outline)

    world = WORLDS[panel.world]()
    for x, y in world.centres.tolist():
        disc(x, y, INLIER * world.spread, outline=FAINT)
        disc(x, y, world.spread, outline=FAINT)
    for x, y in panel.places:
        disc(x, y, 0.02, fill=PARTICLE)
    return image


def save(path: Path, panels: Sequence[Panel], *, columns: int) -> None:
    """Write a PNG."""
    buffer = io.BytesIO()
    draw(panels, columns=columns).save(buffer, "PNG", optimize=True)
    atomic.write(path, buffer.getvalue())
