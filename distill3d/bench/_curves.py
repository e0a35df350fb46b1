"""Curves of how costs grow, as a picture: four panels side by side, both scales logarithmic."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from distill3d import atomic

INK, FAINT, GRID, PAPER = "#1d2433", "#77808f", "#e6e9ef", "#ffffff"
COLOURS = ("#2f6fb0", "#d1603d", "#3d8f5f", "#8a5aa8", "#b8922b", "#3a9aa8", "#b0486f", "#5f6b7a")
SHARPNESS = 2
"""Pixels of the picture for each unit below."""
PANEL, GAP, MARGIN, TOP, BOTTOM = 300, 64, 56, 84, 58
LEGEND = 26

Number = int | float


@dataclass(frozen=True)
class Curve:
    """Milliseconds over the values of an axis, in rising order."""

    operation: str
    axis: str
    points: Sequence[tuple[Number, float]]


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale from values to units of the picture."""

    low: Number
    high: Number
    start: Number
    end: Number

    def at(self, value: Number) -> float:
        """Where a value stands."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def decades(self) -> list[float]:
        """The powers of ten in it."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]


def draw(curves: Sequence[Curve], axes: Mapping[str, str], title: str) -> Image.Image:
    """A panel for each axis. The dashed line grows in proportion."""
    operations = list(dict.fromkeys(curve.operation for curve in curves))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(operations)}
    width = 2 * MARGIN + len(axes) * PANEL + (len(axes) - 1) * GAP
    pen = _Pen(width, TOP + PANEL + BOTTOM + LEGEND)
    pen.text((MARGIN, 24), title, size=17)
    times = [ms for curve in curves for _, ms in curve.points] or [1.0]
    height = Scale(10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times))), 0, 0)
    for column, (axis, label) in enumerate(axes.items()):
        left = MARGIN + column * (PANEL + GAP)
        shown = [curve for curve in curves if curve.axis == axis]
        _panel(pen, left, label, shown, Scale(height.low, height.high, TOP + PANEL, TOP), colours)
    x = float(MARGIN)
    for name in operations:
        pen.line([(x, TOP + PANEL + BOTTOM), (x + 22, TOP + PANEL + BOTTOM)], colours[name], 3)
        pen.text((x + 30, TOP + PANEL + BOTTOM), name, size=14)
        x += 60 + pen.width(name, 14)
    return pen.image


def _panel(
    pen: _Pen, left: Number, label: str, curves: Sequence[Curve], up: Scale, colours: Mapping[str, str]
) -> None:
    pen.text((left, TOP - 18), f"milliseconds over {label}", size=13, colour=FAINT)
    values = [value for curve in curves for value, _ in curve.points] or [1.0, 10.0]
    across = Scale(min(values) / 1.25, max(values) * 1.25, left, left + PANEL)
    for ms in up.decades():
        pen.line([(left, up.at(ms)), (left + PANEL, up.at(ms))], GRID, 1)
        pen.text((left - 8, up.at(ms)), f"{ms:g}", size=12, colour=FAINT, anchor="rm")
    ticks = across.decades() if len(across.decades()) > 1 else sorted(set(values))
    for value in ticks:
        pen.line([(across.at(value), up.start), (across.at(value), up.end)], GRID, 1)
        pen.text((across.at(value), up.start + 14), short(value), size=12, colour=FAINT, anchor="mm")
    _proportional(pen, across, up)
    for curve in curves:
        places = [(across.at(value), up.at(ms)) for value, ms in curve.points]
        pen.line(places, colours[curve.operation], 2.5)
        for place in places:
            pen.dot(place, 4, colours[curve.operation])


def _proportional(pen: _Pen, across: Scale, up: Scale) -> None:
    """Dashes from the lower left corner upwards, twice the time for twice the value."""
    decades = min(math.log10(across.high / across.low), math.log10(up.high / up.low))
    steps = 24
    for step in range(0, steps, 2):
        ends = [10 ** (decades * i / steps) for i in (step, step + 1)]
        pen.line([(across.at(across.low * end), up.at(up.low * end)) for end in ends], FAINT, 1)


def short(value: Number) -> str:
    """1000 as 1k, a million as 1M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:g}"


def save(path: Path, image: Image.Image) -> None:
    """Write a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    atomic.write(path, buffer.getvalue())


class _Pen:
    """Lines and words in units of which each is SHARPNESS pixels."""

    def __init__(self, width: Number, height: Number) -> None:
        self.image = Image.new("RGB", (round(width * SHARPNESS), round(height * SHARPNESS)), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def line(self, places: Sequence[tuple[Number, Number]], colour: str, width: Number) -> None:
        scaled = [(x * SHARPNESS, y * SHARPNESS) for x, y in places]
        self.draw.line(scaled, colour, round(width * SHARPNESS), joint="curve")

    def dot(self, place: tuple[Number, Number], radius: Number, colour: str) -> None:
        x, y, r = (value * SHARPNESS for value in (*place, radius))
        self.draw.ellipse((x - r, y - r, x + r, y + r), colour, PAPER, SHARPNESS)

    def text(
        self, place: tuple[Number, Number], words: str, *, size: int, colour: str = INK, anchor: str = "lm"
    ) -> None:
        font = ImageFont.load_default(size * SHARPNESS)
        self.draw.text((place[0] * SHARPNESS, place[1] * SHARPNESS), words, colour, font=font, anchor=anchor)

    def width(self, words: str, size: int) -> Number:
        return ImageFont.load_default(size * SHARPNESS).getlength(words) / SHARPNESS
