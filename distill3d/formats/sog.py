"""SOG, version 2: Gaussians as lossless WebP pictures in a zip (PlayCanvas, developer.playcanvas.com).

A pixel stands for a Gaussian. means_l and means_u hold the low and high bytes of sign(x) ln(1 + |x|) between
the bounds in meta.json; quats the three smaller of wxyz in ±1/√2, and 252 plus the index of the largest;
scales and sh0 the places of log scales and degree-0 colours in codebooks of 256, with the opacity as alpha;
shN_labels the 16-bit place of the higher coefficients in a palette, which shN_centroids shows, 64 to a row.
"""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats import _codebook, _smallest_three
from distill3d.formats._order import morton
from distill3d.formats._runs import arrays, logit, sigmoid
from distill3d.ply import MAX_COUNT

REST = {1: 3, 2: 8, 3: 15}
PER_ROW = 64
PALETTE = 65536
MAX_META_BYTES = 1 << 20


def read(data: bytes) -> dict[str, Tensor]:
    """The state of a Gaussians scene: means, wxyz, log_scales, opacity_logits, sh, perhaps antialiased."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive)
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        NotImplementedError,
        EOFError,
    ) as error:
        raise UserError(
            f"the SOG is damaged ({error!r}); expected meta.json and WebP pictures in a zip"
        ) from error


def _read(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    meta = _meta(archive)
    count = meta["count"]
    low, high = (_pixels(archive, name, count) for name in meta["means"]["files"])
    units = (low[:, :3].astype(np.float32) + 256 * high[:, :3].astype(np.float32)) / 65535
    least, most = (np.array(meta["means"][k], np.float32) for k in ("mins", "maxs"))
    logs = least + (most - least) * units
    quats = _pixels(archive, meta["quats"]["files"][0], count)
    scales = _pixels(archive, meta["scales"]["files"][0], count)[:, :3]
    sh0 = _pixels(archive, meta["sh0"]["files"][0], count)
    dc = _book(meta["sh0"])[sh0[:, :3]][:, None]
    return {
        "means": torch.from_numpy(np.sign(logs) * np.expm1(np.abs(logs))),
        "wxyz": torch.from_numpy(_rotations(quats)),
        "log_scales": torch.from_numpy(_book(meta["scales"])[scales]),
        "opacity_logits": torch.from_numpy(logit(sh0[:, 3] / np.float32(255), 255)),
        "sh": torch.from_numpy(np.concatenate([dc, _higher(archive, meta, count)], 1)),
    } | ({"antialiased": torch.tensor(True)} if meta.get("antialias") is True else {})


def _meta(archive: zipfile.ZipFile) -> dict[str, Any]:
    if archive.getinfo("meta.json").file_size > MAX_META_BYTES:
        raise UserError(f"the SOG's meta.json has more than {MAX_META_BYTES} bytes; fetch it again")
    meta = json.loads(archive.read("meta.json"))
    if not isinstance(meta, dict) or meta.get("version") != 2:
        raise UserError("the SOG is not of version 2; convert it with the program that made it")
    count = meta["count"]
    if not isinstance(count, int) or not 0 < count <= MAX_COUNT:
        raise UserError(f"the SOG says {count!r} Gaussians; expected 1 to {MAX_COUNT}")
    return meta


def _book(part: dict[str, Any]) -> np.ndarray:
    book = np.array(part["codebook"], np.float32)
    if book.shape != (256,) or not np.isfinite(book).all():
        raise UserError(f"a codebook of the SOG has the shape {book.shape}; expected 256 finite numbers")
    return book


def _pixels(archive: zipfile.ZipFile, name: str, count: int, channels: int = 4) -> np.ndarray:
    """The first `count` pixels of a picture in the archive, whose size is checked before it is unpacked."""
    info = archive.getinfo(name)
    if info.file_size > 64 + 8 * channels * (count + 65536):
        raise UserError(f"{name} of the SOG has {info.file_size} bytes for {count} pixels; fetch it again")
    try:
        with Image.open(io.BytesIO(archive.read(name)), formats=["WEBP"]) as image:
            width, height = image.size
            if not count <= width * height <= 4 * count + 65536:
                raise UserError(f"{name} of the SOG is {width} x {height}; expected about {count} pixels")
            table = np.asarray(image.convert("RGBA" if channels == 4 else "RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{name} of the SOG is damaged ({error}); fetch it again") from error
    return table.reshape(-1, channels)[:count]


def _rotations(quats: np.ndarray) -> np.ndarray:
    largest = quats[:, 3].astype(np.int64) - 252
    if len(largest) and not 0 <= largest.min() <= largest.max() <= 3:
        raise UserError("the SOG's quaternions name a largest part that is not one of four; fetch it again")
    others = (quats[:, :3].astype(np.float32) / 255 - 0.5) * np.float32(np.sqrt(2))
    return _smallest_three.join(largest, others)


def _higher(archive: zipfile.ZipFile, meta: dict[str, Any], count: int) -> np.ndarray:
    if "shN" not in meta:
        return np.zeros((count, 0, 3), np.float32)
    part = meta["shN"]
    rest, size = REST[part["bands"]], part["count"]
    if not isinstance(size, int) or not 0 < size <= PALETTE:
        raise UserError(f"the SOG's palette has {size!r} entries; expected 1 to {PALETTE}")
    centroids, labels = part["files"]
    rows = -(-size // PER_ROW)
    table = _pixels(archive, centroids, rows * PER_ROW * rest, 3).reshape(rows * PER_ROW, rest, 3)
    pixels = _pixels(archive, labels, count).astype(np.int64)
    which = pixels[:, 0] + 256 * pixels[:, 1]
    if which.max() >= size:
        raise UserError(
            f"a Gaussian of the SOG has entry {which.max()} of a palette of {size}; fetch it again"
        )
    return _book(part)[table][which]


def write(state: dict[str, Tensor]) -> bytes:
    """The file for the state of a Gaussians scene; neighbours are put side by side first."""
    learned = arrays(state)
    count = len(learned["means"])
    if not 0 < count <= MAX_COUNT:
        raise UserError(f"{count} Gaussians; SOG holds 1 to {MAX_COUNT}")
    if not np.isfinite(learned["means"]).all():
        raise UserError("a centre is not finite; remove such Gaussians before writing SOG")
    order = morton(learned["means"])
    means, wxyz, log_scales, logits, sh = (values[order] for values in learned.values())
    logs = np.sign(means) * np.log1p(np.abs(means))
    least, most = logs.min(0), logs.max(0)
    steps = np.rint((logs - least) / np.maximum(most - least, 1e-12) * 65535).astype(np.uint16)
    scale_book, scale_codes = _codebook.of_numbers(torch.from_numpy(log_scales.ravel()))
    dc_book, dc_codes = _codebook.of_numbers(torch.from_numpy(sh[:, 0].ravel()))
    alpha = np.rint(sigmoid(logits) * 255).astype(np.uint8)[:, None]
    pictures = {
        "means_l.webp": _picture((steps & 255).astype(np.uint8)),
        "means_u.webp": _picture((steps >> 8).astype(np.uint8)),
        "quats.webp": _picture(*_packed_rotations(wxyz)),
        "scales.webp": _picture(scale_codes.reshape(count, 3).numpy().astype(np.uint8)),
        "sh0.webp": _picture(dc_codes.reshape(count, 3).numpy().astype(np.uint8), alpha),
    }
    meta: dict[str, Any] = {
        "version": 2,
        "asset": {"generator": "distill3d"},
        "count": count,
        "antialias": bool(state.get("antialiased", False)),
        "means": {"mins": least.tolist(), "maxs": most.tolist(), "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"codebook": scale_book.tolist(), "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": dc_book.tolist(), "files": ["sh0.webp"]},
    }
    if sh.shape[1] > 1:
        meta["shN"] = _palette(torch.from_numpy(sh[:, 1:]), pictures)
    return _zip(meta, pictures)


def _palette(rest: Tensor, pictures: dict[str, np.ndarray]) -> dict[str, Any]:
    """The higher coefficients' palette and labels, added to the pictures; what meta.json says of them."""
    count, coefficients, _ = rest.shape
    size = min(PALETTE, max(PER_ROW, 2 ** int(np.log2(count))))
    vectors, labels = _codebook.of_vectors(rest.reshape(count, -1), size)
    book, codes = _codebook.of_numbers(vectors.flatten())
    rows = -(-len(vectors) // PER_ROW)
    table = np.zeros((rows * PER_ROW, coefficients, 3), np.uint8)
    table[: len(vectors)] = codes.reshape(-1, coefficients, 3).numpy()
    pictures["shN_centroids.webp"] = table.reshape(rows, PER_ROW * coefficients, 3)
    split = np.stack([labels.numpy() & 255, labels.numpy() >> 8, np.zeros(count, np.int64)], 1)
    pictures["shN_labels.webp"] = _picture(split.astype(np.uint8))
    bands = next(band for band, number in REST.items() if number == coefficients)
    files = ["shN_centroids.webp", "shN_labels.webp"]
    return {"count": len(vectors), "bands": bands, "codebook": book.tolist(), "files": files}


def _packed_rotations(wxyz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    largest, others = _smallest_three.split(wxyz)
    units = others * np.float32(np.sqrt(0.5)) + np.float32(0.5)
    return np.clip(np.rint(units * 255), 0, 255).astype(np.uint8), (largest + 252).astype(np.uint8)[:, None]


def _picture(rgb: np.ndarray, alpha: np.ndarray | None = None) -> np.ndarray:
    """Rows of pixels as a nearly square picture [H, W, 4], opaque where no alpha is given."""
    count = len(rgb)
    width = -(-int(np.ceil(np.sqrt(count))) // 4) * 4
    height = -(-count // width)
    table = np.full((height * width, 4), 255, np.uint8)
    table[:count, :3] = rgb
    if alpha is not None:
        table[:count, 3:] = alpha
    return table.reshape(height, width, 4)


def _zip(meta: dict[str, Any], pictures: dict[str, np.ndarray]) -> bytes:
    def encode(table: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(table).save(buffer, "WEBP", lossless=True, exact=True, quality=50, method=1)
        return buffer.getvalue()

    with ThreadPoolExecutor() as pool:
        encoded = dict(zip(pictures, pool.map(encode, pictures.values()), strict=True))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in [*encoded.items(), ("meta.json", json.dumps(meta).encode())]:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()
