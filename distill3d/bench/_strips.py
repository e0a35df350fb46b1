"""Scenes from all around, beside each other: a row for every case and a column for every method."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from distill3d import atomic
from distill3d.bench._look import STRIP_FRAMES, STRIP_PX, strip_image

INK, FAINT, PAPER = "#1d2433", "#77808f", "#ffffff"
WIDTH, CAPTION, HEAD, GAP, MARGIN = STRIP_FRAMES * STRIP_PX, 38, 34, 16, 20


@dataclass(frozen=True)
class Panel:
    """A scene of a table, under a caption of two lines."""

    caption: str
    strip: str | None
    """As in `Look`; None for a run that collapsed."""


def draw(rows: Sequence[Sequence[Panel]], *, headings: Sequence[str]) -> Image.Image:
    """The panels under the headings of their columns."""
    width = 2 * MARGIN + len(headings) * (WIDTH + GAP) - GAP
    height = 2 * MARGIN + HEAD + len(rows) * (CAPTION + STRIP_PX + GAP) - GAP
    image = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(image)
    for j, heading in enumerate(headings):
        left = MARGIN + j * (WIDTH + GAP)
        pen.text((left, MARGIN), heading, INK, font=ImageFont.load_default(20))
        for i, panel in enumerate(row[j] for row in rows):
            top = MARGIN + HEAD + i * (CAPTION + STRIP_PX + GAP)
            pen.text((left, top + 4), panel.caption, FAINT, font=ImageFont.load_default(12))
            if panel.strip is not None:
                image.paste(strip_image(panel.strip), (left, top + CAPTION))
    return image


def save(path: Path, rows: Sequence[Sequence[Panel]], *, headings: Sequence[str]) -> None:
    """Write a PNG."""
    buffer = io.BytesIO()
    draw(rows, headings=headings).save(buffer, "PNG", optimize=True)
    atomic.write(path, buffer.getvalue())
