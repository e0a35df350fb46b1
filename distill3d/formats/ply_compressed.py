"""Compressed PLY of Gaussians (PlayCanvas): 16 bytes for each, and one for each higher coefficient.

Runs of 256 Gaussians share a `chunk` with the least and largest centre, log scale and colour. A `vertex` has
    packed_position, packed_scale   11, 10 and 11 bits between the chunk's bounds
    packed_rotation                 2 bits for the largest of wxyz, 10 for each other, in ±1/√2
    packed_color                    8 bits each of red, green and blue between the bounds, and of opacity
and a row of `sh` the higher coefficients in a byte each, in ±4, all of red, then of green, then of blue.
Comments say more of the scene as a whole, see `_ply_notes`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats import _ply_notes, _smallest_three
from distill3d.formats._order import morton
from distill3d.formats._runs import arrays, logit, side_by_side, sigmoid
from distill3d.ply import read_element
from distill3d.sh import DEGREE_0

CHUNK = 256
REST = (0, 3, 8, 15)  # higher coefficients of degrees 0 to 3
PLACES = ((21, 11), (11, 10), (0, 11))  # shift and width of x, y and z
COLOURS = ((24, 8), (16, 8), (8, 8), (0, 8))  # and of red, green, blue and opacity
ROTATIONS = ((20, 10), (10, 10), (0, 10))  # and of the three smaller parts of a quaternion
LARGEST = 30  # shift of the place of the largest
FIELDS = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
MEANS, SCALES, RGB = (
    tuple(f"{side}_{axis}" for side in ("min", "max") for axis in axes)
    for axes in (("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b"))
)
LARGEST_SCALE = 20.0  # log scales are kept within ±this


def found_in(data: bytes) -> bool:
    """Whether a PLY is of this kind: its vertices are packed."""
    return b"property uint packed_position" in data[: 1 << 16]


def read(data: bytes) -> dict[str, Tensor]:
    """The state of a Gaussians scene: means, wxyz, log_scales, opacity_logits, sh, what comments say."""
    chunks, vertices = read_element(data, "chunk"), read_element(data, "vertex")
    _require(chunks, (*MEANS, *SCALES), "chunks")
    _require(vertices, FIELDS, "vertices")
    count = len(vertices)
    if len(chunks) != -(-count // CHUNK):
        raise UserError(
            f"the PLY has {len(chunks)} chunks for {count} Gaussians; expected one for each {CHUNK}"
        )
    places, sizes, colours = (_bounds_of(chunks, names) for names in (MEANS, SCALES, RGB))
    higher = _higher(data, count)
    shapes = {"means": (3,), "wxyz": (4,), "log_scales": (3,), "opacity_logits": ()}
    shapes |= {"sh": (1 + len(higher) // 3, 3)}
    state = {name: np.empty((count, *shape), np.float32) for name, shape in shapes.items()}

    def unpack(rows: slice) -> None:
        position, rotation, scale, colour = (vertices[name][rows].astype(np.uint32) for name in FIELDS)
        which = np.arange(rows.start, rows.stop) // CHUNK
        rgb_and_opacity = _unpacked(colour, COLOURS)
        state["means"][rows] = _between(_unpacked(position, PLACES), *places, which)
        state["log_scales"][rows] = _between(_unpacked(scale, PLACES), *sizes, which)
        state["opacity_logits"][rows] = logit(rgb_and_opacity[:, 3], 255)
        rgb = _between(rgb_and_opacity[:, :3], *colours, which)
        state["sh"][rows, 0] = (rgb - np.float32(0.5)) / np.float32(DEGREE_0)
        for i, values in enumerate(higher):
            coefficient, channel = 1 + i % (len(higher) // 3), i // (len(higher) // 3)
            state["sh"][rows, coefficient, channel] = (values[rows] + np.float32(0.5 - 128)) / 32
        others = (_unpacked(rotation, ROTATIONS) - np.float32(0.5)) * np.float32(np.sqrt(2))
        state["wxyz"][rows] = _smallest_three.join((rotation >> LARGEST).astype(np.int64), others)

    side_by_side(count, unpack)
    return {name: torch.from_numpy(values) for name, values in state.items()} | _ply_notes.read(data)


def write(state: dict[str, Tensor]) -> bytes:
    """The file for the state of a Gaussians scene. Gaussians near each other are put side by side first."""
    learned = arrays(state)
    order = morton(learned["means"])
    count, rest = len(order), learned["sh"].shape[1] - 1
    chunks = np.empty((-(-count // CHUNK), 18), "<f4")
    vertices = np.empty((count, 4), "<u4")
    higher = np.empty((count, 3, rest), np.uint8)

    def pack(rows: slice) -> None:
        means, wxyz, log_scales, logits, sh = (values[order[rows]] for values in learned.values())
        rgb = sh[:, 0] * np.float32(DEGREE_0) + np.float32(0.5)
        bounds = chunks[rows.start // CHUNK : -(-rows.stop // CHUNK)]
        position = _within(means, bounds[:, :6])
        scale = _within(log_scales.clip(-LARGEST_SCALE, LARGEST_SCALE), bounds[:, 6:12])
        colour = np.concatenate([_within(rgb, bounds[:, 12:]), sigmoid(logits)[:, None]], 1)
        largest, others = _smallest_three.split(wxyz)
        rotation = _packed(others * np.float32(np.sqrt(0.5)) + np.float32(0.5), ROTATIONS)
        rotation |= largest.astype(np.uint32) << np.uint32(LARGEST)
        vertices[rows, 0], vertices[rows, 1] = _packed(position, PLACES), rotation
        vertices[rows, 2], vertices[rows, 3] = _packed(scale, PLACES), _packed(colour, COLOURS)
        higher[rows] = np.clip(np.nan_to_num(sh[:, 1:].transpose(0, 2, 1) * 32 + 128), 0, 255)

    side_by_side(count, pack)
    return b"".join(
        [
            _header(count, len(chunks), 3 * rest, _ply_notes.lines(state)),
            chunks.data,
            vertices.data,
            higher.data,
        ]
    )


def _header(count: int, chunks: int, rest: int, notes: list[str]) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", f"element chunk {chunks}"]
    lines += [f"property float {name}" for name in (*MEANS, *SCALES, *RGB)]
    lines += [f"element vertex {count}", *(f"property uint {name}" for name in FIELDS)]
    if rest:
        lines += [f"element sh {count}", *(f"property uchar f_rest_{i}" for i in range(rest))]
    return ("\n".join([*lines, *notes, "end_header"]) + "\n").encode()


def _require(rows: np.ndarray, names: tuple[str, ...], what: str) -> None:
    missing = [name for name in names if name not in (rows.dtype.names or ())]
    if missing:
        raise UserError(f"the compressed PLY's {what} lack {', '.join(missing[:4])}; fetch it again")


def _higher(data: bytes, count: int) -> list[np.ndarray]:
    """Bytes of the higher coefficients, one column for each in the file's order."""
    if b"element sh " not in data[: 1 << 16]:
        return []
    rows = read_element(data, "sh")
    names = [n for n in rows.dtype.names or () if n.startswith("f_rest_")]
    wanted = [f"f_rest_{i}" for i in range(len(names))]
    counts = [3 * rest for rest in REST[1:]]
    if len(rows) != count or len(names) not in counts or set(names) != set(wanted):
        raise UserError(
            f"the PLY has {len(rows)} rows of {len(names)} coefficients for {count} Gaussians; "
            f"expected as many rows, of f_rest_0 to {', '.join(f'f_rest_{n - 1}' for n in counts)}"
        )
    return [rows[name] for name in wanted]


def _unpacked(words: np.ndarray, bits: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Numbers between 0 and 1 from places in 32 bits."""
    units = np.empty((len(words), len(bits)), np.float32)
    for i, (shift, width) in enumerate(bits):
        most = (1 << width) - 1
        units[:, i] = ((words >> np.uint32(shift)) & np.uint32(most)) / np.float32(most)
    return units


def _packed(units: np.ndarray, bits: tuple[tuple[int, int], ...]) -> np.ndarray:
    words = np.zeros(len(units), np.uint32)
    for i, (shift, width) in enumerate(bits):
        most = (1 << width) - 1
        part = np.clip(np.rint(np.nan_to_num(units[:, i]) * most), 0, most).astype(np.uint32)
        words |= part << np.uint32(shift)
    return words


def _bounds_of(chunks: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The least and largest values of each chunk; 0 and 1 where the file has none."""
    columns = [
        chunks[n] if n in (chunks.dtype.names or ()) else np.full(len(chunks), n[:3] == "max") for n in names
    ]
    table = np.stack(columns, 1).astype(np.float32)
    return table[:, :3], table[:, 3:]


def _between(units: np.ndarray, low: np.ndarray, high: np.ndarray, which: np.ndarray) -> np.ndarray:
    return low[which] + (high - low)[which] * units


def _within(table: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Where rows lie between the least and the largest of their CHUNK, from 0 to 1; fills in `bounds`."""
    starts = np.arange(0, len(table), CHUNK)
    low, high = np.minimum.reduceat(table, starts), np.maximum.reduceat(table, starts)
    bounds[:, :3], bounds[:, 3:] = low, high
    which = np.arange(len(table)) // CHUNK
    return (table - low[which]) / np.maximum(high - low, np.float32(1e-12))[which]
