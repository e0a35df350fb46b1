"""Parts of a mesh that are painted each in its own way, as one mesh with one texture.

Textures stand in rows beside each other, as often as parts repeat them. Colours of vertices become patches of
two by two texels, of which three are a face's corners and the fourth goes on linearly: between the corners
that is what the colours were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import trimesh
from PIL import Image
from trimesh import Trimesh
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from distill3d.errors import UserError, lost

MAX_PIXELS = 1 << 26
GUTTER = 8
"""Texels around each texture in which it goes on, so that from afar it does not mix with others."""
GREY = 128
BARELY = 1e-4
"""Textures by which coordinates may go beyond a border without meaning the next repetition."""


@dataclass
class _Tile:
    """A texture [H, W, 3] of some parts, repeated down and across, and where it stands in the atlas."""

    levels: np.ndarray
    down: int = 1
    across: int = 1
    row: int = 0
    column: int = 0


def joined(parts: Sequence[Trimesh]) -> Trimesh:
    """All parts as one mesh: with vertex colours if none has a texture, else with one texture of all."""
    if len(parts) == 1 or not any(_is_textured(part) for part in parts):
        return parts[0] if len(parts) == 1 else cast(Trimesh, trimesh.util.concatenate(list(parts)))
    textured = [part if _is_textured(part) else _patched(part) for part in parts]
    tiles = dict[bytes, _Tile]()
    used = [_tile_of(part, tiles) for part in textured]
    uvs = [np.asarray(cast(Any, part.visual).uv, np.float64) for part in textured]
    if len(tiles) > 1:
        lows = [np.floor(uv.min(0) + BARELY) for uv in uvs]
        for tile, uv, low in zip(used, uvs, lows, strict=True):
            across, down = np.maximum(np.ceil((uv - low).max(0) - BARELY), 1)
            tile.across, tile.down = max(tile.across, int(across)), max(tile.down, int(down))
        levels = _laid_out(list(tiles.values()))
        uvs = [_moved(tile, uv - low, levels) for tile, uv, low in zip(used, uvs, lows, strict=True)]
    else:
        levels = used[0].levels
    begins = np.cumsum([0, *(len(part.vertices) for part in textured)])
    return Trimesh(
        np.concatenate([part.vertices for part in textured]),
        np.concatenate([part.faces + begin for part, begin in zip(textured, begins, strict=False)]),
        visual=_visual(np.concatenate(uvs), levels),
        process=False,
    )


def _is_textured(part: Trimesh) -> bool:
    return cast(Any, part.visual).kind == "texture"


def _visual(uv: np.ndarray, levels: np.ndarray) -> TextureVisuals:
    return TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=Image.fromarray(levels)))


def _tile_of(part: Trimesh, tiles: dict[bytes, _Tile]) -> _Tile:
    """The tile of a part's texture, which others may have as well."""
    levels = np.asarray(cast(Any, part.visual).material.baseColorTexture)
    return tiles.setdefault(repr(levels.shape).encode() + levels.tobytes(), _Tile(levels))


def _patched(part: Trimesh) -> Trimesh:
    """A part with colours at its vertices as one with a texture, each face with corners of its own."""
    visual: Any = part.visual
    colours = visual.vertex_colors[:, :3] if visual.kind else np.full((len(part.vertices), 3), GREY)
    corners, face = np.unique(colours[part.faces].astype(int), axis=0, return_inverse=True)
    last = (corners[:, 1] + corners[:, 2] - corners[:, 0]).clip(0, 255)
    patches = np.concatenate([corners, last[:, None]], 1).reshape(-1, 2, 2, 3)
    side = math.isqrt(len(patches) - 1) + 1
    grid = np.zeros((side * side, 2, 2, 3), np.uint8)
    grid[: len(patches)] = patches
    levels = grid.reshape(side, side, 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(2 * side, 2 * side, 3)
    row, column = np.divmod(face.reshape(-1), side)
    texel = 2 * np.stack([column, row], 1)[:, None] + np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]])
    uv = texel.reshape(-1, 2) / (2 * side) * [1, -1] + [0, 1]
    vertices = part.vertices[part.faces].reshape(-1, 3)
    faces = np.arange(len(vertices)).reshape(-1, 3)
    return Trimesh(vertices, faces, visual=_visual(uv, levels), process=False)


def _laid_out(tiles: Sequence[_Tile]) -> np.ndarray:
    """The atlas [H, W, 3] of all tiles, which then know where they stand in it."""
    _shrink(tiles)
    pictures = [
        np.pad(np.tile(t.levels, (t.down, t.across, 1)), [(GUTTER,) * 2, (GUTTER,) * 2, (0, 0)], mode="wrap")
        for t in tiles
    ]
    area = sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    width = max(math.isqrt(area), *(picture.shape[1] for picture in pictures))
    row = column = height = 0
    for tile, picture in sorted(zip(tiles, pictures, strict=True), key=lambda pair: -pair[1].shape[0]):
        if column + picture.shape[1] > width:
            row, column, height = row + height, 0, 0
        tile.row, tile.column = row + GUTTER, column + GUTTER
        column, height = column + picture.shape[1], max(height, picture.shape[0])
    atlas = np.zeros((row + height, width, 3), np.uint8)
    for tile, picture in zip(tiles, pictures, strict=True):
        top, left = tile.row - GUTTER, tile.column - GUTTER
        atlas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return atlas


def _shrink(tiles: Sequence[_Tile]) -> None:
    """Make textures smaller if together they are too large. Raises UserError where that does not help."""

    def area() -> int:
        return sum(t.levels.shape[0] * t.levels.shape[1] * t.down * t.across for t in tiles)

    factor = math.sqrt(MAX_PIXELS / area())
    if factor >= 1:
        return
    for tile in tiles:
        height, width = (max(1, int(side * factor)) for side in tile.levels.shape[:2])
        tile.levels = np.asarray(Image.fromarray(tile.levels).resize((width, height), Image.Resampling.BOX))
    if area() > 2 * MAX_PIXELS:
        raise UserError("the mesh repeats its textures too often for one of all; export it with one texture")
    lost(f"the mesh has so many textures that they are kept {factor:.2f} times as large")


def _moved(tile: _Tile, uv: np.ndarray, atlas: np.ndarray) -> np.ndarray:
    """Coordinates in a tile's texture, from 0 to its repetitions, as coordinates in the atlas; v runs up."""
    height, width = tile.levels.shape[:2]
    x = tile.column + uv[:, 0] * width
    y = tile.row + (tile.down - uv[:, 1]) * height
    return np.stack([x / atlas.shape[1], 1 - y / atlas.shape[0]], 1)
