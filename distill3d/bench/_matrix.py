"""A matrix of conversions: as a line of text, a table, and a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from distill3d import atomic
from distill3d.bench._benchmark import Record

INK, FAINT, PAPER = "#1d2433", "#77808f", "#ffffff"
WIDTH, HEIGHT, LEFT, TOP, MARGIN = 104, 56, 110, 84, 24
WORST_DB, BEST_DB = 20.0, 45.0
LOW, HIGH = (246, 200, 180), (120, 190, 165)
"""Colours of these."""

Table = Mapping[tuple[str, str], Record]


def row(source: str, records: Sequence[Record]) -> str:
    """A source in a line of the table."""
    cells = (f"{r['psnr_vs_source']:7.1f} {r['seconds']:4.0f}s" for r in records)
    return f"{source:<14}" + "".join(cells)


def markdown(kinds: Sequence[str], table: Table) -> str:
    """The matrix with PSNR in dB and seconds."""
    lines = [f"| from \\ to | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for source in kinds:
        records = (table[source, target] for target in kinds)
        cells = (f"{r['psnr_vs_source']:.1f} ({r['seconds']:.0f} s)" for r in records)
        lines.append(f"| {source} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw(kinds: Sequence[str], table: Table) -> Image.Image:
    """A square for each pair, greener the nearer the copy is to its source."""
    size = len(kinds)
    image = Image.new("RGB", (LEFT + size * WIDTH + MARGIN, TOP + size * HEIGHT + MARGIN), PAPER)
    pen = ImageDraw.Draw(image)
    large, small = ImageFont.load_default(17), ImageFont.load_default(12)
    pen.text((MARGIN, 16), "PSNR of each copy to its source, dB", INK, ImageFont.load_default(20))
    for i, name in enumerate(kinds):
        pen.text((LEFT + (i + 0.5) * WIDTH, TOP - 14), name, INK, small, anchor="mm")
        pen.text((LEFT - 10, TOP + (i + 0.5) * HEIGHT), name, INK, small, anchor="rm")
    for i, source in enumerate(kinds):
        for j, target in enumerate(kinds):
            record = table[source, target]
            left, top = LEFT + j * WIDTH, TOP + i * HEIGHT
            box = (left + 1, top + 1, left + WIDTH - 2, top + HEIGHT - 2)
            pen.rectangle(box, colour(record["psnr_vs_source"]))
            centre = left + WIDTH / 2
            pen.text((centre, top + 21), f"{record['psnr_vs_source']:.1f}", INK, large, anchor="mm")
            said = f"{record['route']}, {record['seconds']:.0f} s"
            pen.text((centre, top + 42), said, FAINT, ImageFont.load_default(10), anchor="mm")
    return image


def colour(psnr: float) -> tuple[int, int, int]:
    """Between LOW and HIGH."""
    share = min(max((psnr - WORST_DB) / (BEST_DB - WORST_DB), 0.0), 1.0)
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(LOW, HIGH, strict=True))
    return red, green, blue


def write(folder: Path, kinds: Sequence[str], table: Table) -> None:
    """convert.md and convert.png."""
    atomic.write(folder / "convert.md", markdown(kinds, table).encode())
    buffer = io.BytesIO()
    draw(kinds, table).save(buffer, "PNG", optimize=True)
    atomic.write(folder / "convert.png", buffer.getvalue())
