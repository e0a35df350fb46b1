"""Compressed PLY of Gaussians (PlayCanvas): 16 bytes for each, and one for each higher coefficient.

Runs of 256 Gaussians share a `chunk` with the least and largest centre, log scale and colour. A `vertex` has
    packed_position, packed_scale   11, 10 and 11 bits between the chunk's bounds
    packed_rotation                 2 bits for the largest of wxyz, 10 for each other, in ±1/√2
    packed_color                    8 bits each of red, green and blue between the bounds, and of opacity
and a row of `sh` the higher coefficients in a byte each, in ±4, all of red, then of green, then of blue.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats._order import morton
from distill3d.formats.ply import read_element
from distill3d.sh import degree_0_from_rgb, rgb_from_degree_0

CHUNK = 256
REST_COUNTS = (9, 24, 45)
BITS = ((21, 11), (11, 10), (0, 11))  # shift and width of x, y and z
FIELDS = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
BOUNDS = tuple(f"{side}_{kind}{axis}" for kind in ("", "scale_") for side in ("min", "max") for axis in "xyz")
COLOUR_BOUNDS = tuple(f"{side}_{axis}" for side in ("min", "max") for axis in "rgb")
OTHERS = np.array([[a for a in range(4) if a != axis] for axis in range(4)])
LARGEST_SCALE = 20.0  # log scales are kept within ±this


def found_in(data: bytes) -> bool:
    """Whether a PLY is of this kind: its vertices are packed."""
    return b"property uint packed_position" in data[: 1 << 16]


def read(data: bytes) -> dict[str, Tensor]:
    """The state of a Gaussians scene: means, wxyz, log_scales, opacity_logits, sh."""
    chunks, vertices = read_element(data, "chunk"), read_element(data, "vertex")
    _require(chunks, BOUNDS, "chunks")
    _require(vertices, FIELDS, "vertices")
    count = len(vertices)
    if len(chunks) != -(-count // CHUNK):
        raise UserError(
            f"the PLY has {len(chunks)} chunks for {count} Gaussians; expected one for each {CHUNK}"
        )
    which = np.arange(count) // CHUNK
    colour = _unpacked(vertices["packed_color"], ((24, 8), (16, 8), (8, 8), (0, 8)))
    rgb = colour[:, :3]
    if set(COLOUR_BOUNDS) <= set(chunks.dtype.names or ()):
        rgb = _between(rgb, chunks, "", "rgb", which)
    opacity = torch.from_numpy(colour[:, 3]).clamp(0.5 / 255, 1 - 0.5 / 255)
    dc = degree_0_from_rgb(torch.from_numpy(rgb))[:, None]
    return {
        "means": torch.from_numpy(
            _between(_unpacked(vertices["packed_position"], BITS), chunks, "", "xyz", which)
        ),
        "wxyz": torch.from_numpy(_rotations(vertices["packed_rotation"])),
        "log_scales": torch.from_numpy(
            _between(_unpacked(vertices["packed_scale"], BITS), chunks, "scale_", "xyz", which)
        ),
        "opacity_logits": torch.logit(opacity),
        "sh": torch.cat([dc, _higher(data, count)], 1),
    }


def write(state: dict[str, Tensor]) -> bytes:
    """The file for the state of a Gaussians scene. Gaussians near each other are put side by side first."""
    values = {n: v.detach().cpu().float() for n, v in state.items() if isinstance(v, Tensor) and v.ndim}
    order = morton(values["means"])
    means, scales = (
        values["means"][order].numpy(),
        values["log_scales"][order].clamp(-LARGEST_SCALE, LARGEST_SCALE).numpy(),
    )
    rgb = rgb_from_degree_0(values["sh"][order][:, 0]).numpy()
    opacity = values["opacity_logits"][order].sigmoid().numpy()
    chunks, vertices = {}, {}
    for name, kind, axes, table in (
        ("packed_position", "", "xyz", means),
        ("packed_scale", "scale_", "xyz", scales),
        ("colour", "", "rgb", rgb),
    ):
        low, high = _bounds(table)
        chunks |= {f"min_{kind}{axis}": low[:, i] for i, axis in enumerate(axes)}
        chunks |= {f"max_{kind}{axis}": high[:, i] for i, axis in enumerate(axes)}
        which = np.arange(len(table)) // CHUNK
        vertices[name] = (table - low[which]) / np.maximum(high - low, 1e-12)[which]
    colour = np.concatenate([vertices.pop("colour"), opacity[:, None]], 1)
    packed = {
        "packed_position": _packed(vertices["packed_position"], BITS),
        "packed_rotation": _packed_rotations(values["wxyz"][order].numpy()),
        "packed_scale": _packed(vertices["packed_scale"], BITS),
        "packed_color": _packed(colour, ((24, 8), (16, 8), (8, 8), (0, 8))),
    }
    rest = values["sh"][order][:, 1:].mT.flatten(1).numpy()
    return _file(chunks, packed, np.clip((rest / 8 + 0.5) * 256, 0, 255).astype(np.uint8))


def _file(chunks: dict[str, np.ndarray], packed: dict[str, np.ndarray], rest: np.ndarray) -> bytes:
    count, runs = len(rest), len(next(iter(chunks.values())))
    names = [*BOUNDS, *COLOUR_BOUNDS]
    header = ["ply", "format binary_little_endian 1.0", f"element chunk {runs}"]
    header += [f"property float {name}" for name in names]
    header += [f"element vertex {count}", *(f"property uint {name}" for name in FIELDS)]
    body = np.stack([chunks[name] for name in names], 1).astype("<f4").tobytes()
    body += np.stack([packed[name] for name in FIELDS], 1).astype("<u4").tobytes()
    if rest.shape[1]:
        header += [f"element sh {count}", *(f"property uchar f_rest_{i}" for i in range(rest.shape[1]))]
        body += rest.tobytes()
    return ("\n".join([*header, "end_header"]) + "\n").encode() + body


def _require(rows: np.ndarray, names: tuple[str, ...], what: str) -> None:
    missing = [name for name in names if name not in (rows.dtype.names or ())]
    if missing:
        raise UserError(f"the compressed PLY's {what} lack {', '.join(missing[:4])}; fetch it again")


def _higher(data: bytes, count: int) -> Tensor:
    if b"element sh " not in data[: 1 << 16]:
        return torch.zeros(count, 0, 3)
    rows = read_element(data, "sh")
    names = [n for n in rows.dtype.names or () if n.startswith("f_rest_")]
    wanted = [f"f_rest_{i}" for i in range(len(names))]
    if len(rows) != count or len(names) not in REST_COUNTS or set(names) != set(wanted):
        raise UserError(
            f"the PLY has {len(rows)} rows of {len(names)} coefficients for {count} Gaussians; "
            f"expected as many rows, of f_rest_0 to {', '.join(f'f_rest_{n - 1}' for n in REST_COUNTS)}"
        )
    table = np.stack([rows[name] for name in wanted], 1).astype(np.float32)
    values = ((table + 0.5) / 256 - 0.5) * 8
    return torch.from_numpy(values.reshape(count, 3, len(names) // 3)).mT.contiguous()


def _unpacked(words: np.ndarray, bits: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Numbers between 0 and 1 from places in 32 bits."""
    words = words.astype(np.uint32)
    return np.stack(
        [((words >> np.uint32(s)) & np.uint32((1 << w) - 1)) / np.float32((1 << w) - 1) for s, w in bits], 1
    ).astype(np.float32)


def _packed(units: np.ndarray, bits: tuple[tuple[int, int], ...]) -> np.ndarray:
    words = np.zeros(len(units), np.uint32)
    for i, (shift, width) in enumerate(bits):
        most = (1 << width) - 1
        part = np.clip(np.round(np.nan_to_num(units[:, i]) * most), 0, most).astype(np.uint32)
        words |= part << np.uint32(shift)
    return words


def _between(units: np.ndarray, chunks: np.ndarray, kind: str, axes: str, which: np.ndarray) -> np.ndarray:
    low, high = (np.stack([chunks[f"{s}_{kind}{a}"] for a in axes], 1)[which] for s in ("min", "max"))
    return (low + (high - low) * units).astype(np.float32)


def _bounds(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and largest row of each run of CHUNK."""
    starts = np.arange(0, len(table), CHUNK)
    if not len(table):
        return np.zeros((0, table.shape[1]), np.float32), np.zeros((0, table.shape[1]), np.float32)
    return np.minimum.reduceat(table, starts), np.maximum.reduceat(table, starts)


def _rotations(words: np.ndarray) -> np.ndarray:
    words = words.astype(np.uint32)
    others = (_unpacked(words, ((20, 10), (10, 10), (0, 10))) - 0.5) * np.float32(np.sqrt(2))
    largest = (words >> 30).astype(np.int64)
    wxyz = np.empty((len(words), 4), np.float32)
    np.put_along_axis(wxyz, OTHERS[largest], others, 1)
    rest = np.sqrt(np.clip(1 - (others * others).sum(1), 0, None))
    np.put_along_axis(wxyz, largest[:, None], rest[:, None], 1)
    return wxyz


def _packed_rotations(wxyz: np.ndarray) -> np.ndarray:
    unit = wxyz / np.linalg.norm(wxyz, axis=1, keepdims=True).clip(1e-12)
    largest = np.abs(unit).argmax(1) if len(unit) else np.zeros(0, np.int64)
    unit = unit * np.where(np.take_along_axis(unit, largest[:, None], 1) < 0, -1, 1)
    others = np.take_along_axis(unit, OTHERS[largest], 1) * np.float32(np.sqrt(0.5)) + 0.5
    return _packed(others, ((20, 10), (10, 10), (0, 10))) | (largest.astype(np.uint32) << np.uint32(30))
