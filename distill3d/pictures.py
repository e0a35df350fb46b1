"""Pictures for people: PNG, looping GIF, coloured depth, and labelled contact sheets."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from distill3d import atomic
from distill3d.camera import Cameras
from distill3d.rendering import Rendering, concatenate
from distill3d.scene import WANT, Scene

INK, FAINT, PAPER = "#1d2433", "#77808f", "#ffffff"
TILE = (0.957, 0.961, 0.969)
"""What stands behind a scene on a contact sheet: nearly white, so that the picture's edge can be seen."""
NEAR_TO_FAR = (
    (0.99, 0.91, 0.64),
    (0.96, 0.60, 0.38),
    (0.80, 0.32, 0.45),
    (0.45, 0.20, 0.50),
    (0.14, 0.13, 0.33),
)
"""Colours of depth: light and warm is near, dark and cold is far."""
DEPTH_UNIT = 1e-3
"""World units in one step of a 16-bit depth picture: 65 units of reach, 0 where nothing is."""
GAP_PX, MARGIN_PX, CAPTION_PX = 6, 28, 26


Sheet = Image.Image
"""A picture to be written by `write_sheet`."""


def to_bytes(rgb: Float[Tensor, "*S"]) -> UInt8[Tensor, "*S"]:
    """Display values in [0, 1] as bytes, rounded to the nearest."""
    return (rgb.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)


def write_png(path: Path, picture: Float[Tensor, "H W C"], notes: dict[str, str] | None = None) -> None:
    """A picture with 1 (grey), 3 (rgb) or 4 (rgb and alpha, not premultiplied) channels in [0, 1]."""
    pixels = to_bytes(picture).numpy()
    _save_png(path, Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), notes)


def write_depth_png(path: Path, mean_depth: Float[Tensor, "H W 1"]) -> None:
    """Camera z as 16-bit grey in steps of `DEPTH_UNIT`; 0 where nothing is (or the depth is out of reach)."""
    steps = (mean_depth[..., 0].detach().cpu().double() / DEPTH_UNIT).round()
    steps = torch.where((steps > 0) & (steps < 65536), steps, 0.0)
    image = Image.fromarray(steps.numpy().astype(np.uint16))
    _save_png(path, image, {"depth_unit": f"{DEPTH_UNIT:g} world units along the camera's z; 0 is empty"})


def _save_png(path: Path, image: Image.Image, notes: dict[str, str] | None) -> None:
    info, buffer = PngInfo(), io.BytesIO()
    for key, value in (notes or {}).items():
        info.add_text(key, value)
    image.save(buffer, "PNG", pnginfo=info)
    atomic.write(path, buffer.getvalue())


def write_gif(path: Path, frames: Float[Tensor, "N H W 3"], *, seconds_per_turn: float = 3.0) -> None:
    """A loop of `frames`, with one palette so that nothing flickers; each frame replaces the last."""
    pixels = to_bytes(frames).numpy()
    palette = _palette(pixels)
    indexed = [
        Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for p in pixels
    ]
    buffer = io.BytesIO()
    indexed[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=max(20, round(seconds_per_turn * 100 / len(indexed)) * 10),
        loop=0,
        disposal=2,
        optimize=False,
    )
    atomic.write(path, buffer.getvalue())


def _palette(pixels: NDArray[np.uint8]) -> Image.Image:
    """256 colours for all frames, chosen from at most a quarter of a million of their pixels."""
    flat = pixels.reshape(-1, 3)
    flat = flat[:: max(1, len(flat) // 2**18)]
    return Image.fromarray(flat[None]).quantize(256, Image.Quantize.MEDIANCUT)


@torch.no_grad()
def shoot(scene: Scene, cameras: Cameras, want: Collection[str] = WANT, *, at_once: int = 8) -> Rendering:
    """Pictures from cameras [N], a few at a time and without gradients; on the processor, to be looked at."""
    shots = [
        scene.render(cameras[i : i + at_once], want=want).to("cpu") for i in range(0, len(cameras), at_once)
    ]
    return concatenate(shots)


def heat(share: Float[Tensor, "*S"]) -> Float[Tensor, "*S 3"]:
    """Numbers in [0, 1] as colours of depth: light and warm is 0, dark and cold is 1."""
    place = share[..., None] * (len(NEAR_TO_FAR) - 1)
    ramp = torch.tensor(NEAR_TO_FAR)
    below = place[..., 0].long().clamp(max=len(NEAR_TO_FAR) - 2)
    return torch.lerp(ramp[below], ramp[below + 1], place - below[..., None])


def colour_depth(rendering: Rendering, background: Sequence[float] = TILE) -> Float[Tensor, "*B H W 3"]:
    """Depth as colour, near light and far dark; one scale for all pictures of the batch."""
    depth = rendering.mean_depth()
    seen = depth[torch.isfinite(depth) & (rendering.alpha > 0.5)]
    if seen.numel() == 0:
        return torch.tensor(background).expand(rendering.rgb.shape)
    low, high = torch.quantile(seen[:: max(1, seen.numel() // 2**20)], torch.tensor([0.01, 0.99])).tolist()
    place = ((depth[..., 0].nan_to_num(posinf=high) - low) / max(high - low, 1e-6)).clamp(0, 1)
    colour = heat(place)
    return colour * rendering.alpha + (1 - rendering.alpha) * torch.tensor(background)


@dataclass(frozen=True)
class Row:
    """One row of a contact sheet."""

    label: str
    pictures: Float[Tensor, "N H W 3"]


def contact_sheet(
    rows: Sequence[Row], *, title: str, subtitle: str = "", columns: Sequence[str] = (), tile_px: int = 160
) -> Image.Image:
    """Rows of pictures, each under its label; `columns` are captions over all rows.

    The pictures are of one shape, and shown `tile_px` wide.
    """
    count = max(len(row.pictures) for row in rows)
    rows_px, columns_px = rows[0].pictures.shape[1:3]
    tile = (tile_px, max(1, round(tile_px * rows_px / columns_px)))
    width = 2 * MARGIN_PX + count * tile_px + (count - 1) * GAP_PX
    head = MARGIN_PX + 34 + (24 if subtitle else 0) + (18 if columns else 0)
    height = head + len(rows) * (CAPTION_PX + tile[1]) + MARGIN_PX
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN_PX, MARGIN_PX - 8), title, INK, ImageFont.load_default(26))
    if subtitle:
        draw.text((MARGIN_PX, MARGIN_PX + 28), subtitle, FAINT, ImageFont.load_default(14))
    for i, row in enumerate(rows):
        top = head + i * (CAPTION_PX + tile[1])
        draw.text((MARGIN_PX, top + 6), row.label, INK, ImageFont.load_default(14))
        for j, picture in enumerate(row.pictures):
            left = MARGIN_PX + j * (tile_px + GAP_PX)
            image = Image.fromarray(to_bytes(picture).numpy())
            sheet.paste(image.resize(tile, Image.Resampling.LANCZOS), (left, top + CAPTION_PX))
    for j, caption in enumerate(columns):
        middle = MARGIN_PX + j * (tile_px + GAP_PX) + tile_px // 2
        font = ImageFont.load_default(12)
        draw.text((middle, head - 12), _fitting(caption, font, tile_px), FAINT, font, anchor="ma")
    return sheet


def _fitting(text: str, font: Any, width_px: int) -> str:
    """The text, or its end behind an ellipsis where it is too wide: names of files differ at their end."""
    shown = text
    while len(shown) > 2 and font.getlength(shown) > width_px:
        text = text[1:]
        shown = f"…{text}"
    return shown


def write_sheet(path: Path, sheet: Image.Image) -> None:
    _save_png(path, sheet, None)
