"""SPZ: Gaussians in about a tenth of a PLY's bytes (Niantic, github.com/nianticlabs/spz), versions 1 to 4.

Per Gaussian, in streams of their own: the centre in fixed point (24 bits an axis), 8 bits of opacity, 24 of
colour, 8 of each log scale, a quaternion, and 8 bits of each higher coefficient, colour by colour. Versions
1 to 3 are one gzip stream of header and data; version 4 has a plain header, a table of contents and a
zstandard stream for each.

The file's camera axes are right, up, back where a PLY's are right, down, forward: half a turn around x.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import zstandard
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats.ply import MAX_COUNT

MAGIC = b"NGSP"
GZIP = b"\x1f\x8b"
HEADER = struct.Struct("<4sIIBBBB")
WRITTEN = 3
FRACTION_BITS = 12
REST = (0, 3, 8, 15)  # higher coefficients of degrees 0 to 3
COLOUR_SCALE = 0.15
STEP_DEGREE_1, STEP_OTHERS = 8, 16  # of 256: five bits for degree 1, four for the others
TURN_MEANS = np.array([1, -1, -1], np.float32)
TURN_WXYZ = np.array([1, 1, -1, -1], np.float32)
TURN_SH = np.array([-1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1], np.float32)
"""What half a turn around x does to centres, quaternions and higher coefficients; it is its own inverse."""
CHUNK = 4 << 20
MOST_PER_GAUSSIAN = 9 + 1 + 3 + 3 + 4 + 3 * REST[3]


def read(data: bytes) -> dict[str, Tensor]:
    """The state of a Gaussians scene: means, wxyz, log_scales, opacity_logits, sh."""
    if data.startswith(GZIP):
        data = _gunzip(data)
    if len(data) < HEADER.size:
        raise UserError(f"the SPZ has {len(data)} bytes; expected at least {HEADER.size}, so fetch it again")
    magic, version, count, degree, fraction_bits, _flags, _streams = HEADER.unpack_from(data)
    if magic != MAGIC or not 1 <= version <= 4:
        raise UserError(f"not an SPZ of version 1 to 4: it begins with {magic!r} and version {version}")
    if degree >= len(REST) or count > MAX_COUNT or fraction_bits > 24:
        raise UserError(
            f"the SPZ says {count} Gaussians of degree {degree} with {fraction_bits} bits of fraction; "
            f"expected at most {MAX_COUNT}, degree 3 and 24 bits"
        )
    sizes = _sizes(version, count, degree)
    streams = _zstandard_streams(data, sizes) if version == 4 else _plain_streams(data, sizes)
    position, alpha, colour, scale, rotation, rest = (np.frombuffer(s, np.uint8) for s in streams)
    dc = (colour.reshape(count, 1, 3) / np.float32(255) - np.float32(0.5)) / np.float32(COLOUR_SCALE)
    higher = (rest.reshape(count, REST[degree], 3).astype(np.float32) - 128) / 128
    unit = np.clip(alpha.astype(np.float32) / 255, 1e-6, 1 - 1e-6)
    means = _positions(position, count, version, fraction_bits)
    return {
        "means": torch.from_numpy(means * TURN_MEANS),
        "wxyz": torch.from_numpy(
            _rotations(rotation.reshape(count, 3 if version < 3 else 4), version) * TURN_WXYZ
        ),
        "log_scales": torch.from_numpy(scale.reshape(count, 3).astype(np.float32) / 16 - 10),
        "opacity_logits": torch.from_numpy(np.log(unit / (1 - unit)).astype(np.float32)),
        "sh": torch.from_numpy(np.concatenate([dc.astype(np.float32), higher * _turn(degree)], 1)),
    }


def write(state: dict[str, Tensor]) -> bytes:
    """The file (version 3) for the state of a Gaussians scene. Centres beyond ±2048 units are refused."""
    values = {
        name: state[name].detach().cpu().float().numpy() for name in ("means", "wxyz", "log_scales", "sh")
    }
    count, degree = len(values["means"]), _degree(values["sh"].shape[1])
    fixed = np.round(values["means"] * TURN_MEANS * (1 << FRACTION_BITS))
    if count and not np.abs(fixed).max() < 1 << 23:
        raise UserError(
            f"a centre is {np.abs(values['means']).max():g} units from the origin, or not finite; "
            f"SPZ holds up to {1 << (23 - FRACTION_BITS)}, so move or scale the scene"
        )
    integers = fixed.astype("<i4").view(np.uint8).reshape(count, 3, 4)[..., :3]
    opacity = torch.sigmoid(state["opacity_logits"].detach().cpu().float()).numpy()
    streams = [
        HEADER.pack(MAGIC, WRITTEN, count, degree, FRACTION_BITS, 0, 0),
        np.ascontiguousarray(integers).tobytes(),
        _byte(opacity * 255).tobytes(),
        _byte(values["sh"][:, 0] * (COLOUR_SCALE * 255) + 127.5).tobytes(),
        _byte((values["log_scales"] + 10) * 16).tobytes(),
        _smallest_three(values["wxyz"] * TURN_WXYZ).tobytes(),
        _coefficients(values["sh"][:, 1:] * _turn(degree)).tobytes(),
    ]
    return _gzip(b"".join(streams))


def _degree(coefficients: int) -> int:
    degree = {1 + rest: degree for degree, rest in enumerate(REST)}.get(coefficients)
    if degree is None:
        raise UserError(f"{coefficients} coefficients of harmonics; SPZ holds 1, 4, 9 or 16")
    return degree


def _turn(degree: int) -> np.ndarray:
    return TURN_SH[: REST[degree], None]


def _sizes(version: int, count: int, degree: int) -> list[int]:
    """Bytes of position, alpha, colour, scale, rotation and higher coefficients."""
    each = (6 if version == 1 else 9, 1, 3, 3, 3 if version < 3 else 4, 3 * REST[degree])
    return [count * size for size in each]


def _plain_streams(data: bytes, sizes: list[int]) -> list[bytes]:
    if len(data) < HEADER.size + sum(sizes):
        raise UserError(
            f"the SPZ ends after {len(data)} bytes and needs {HEADER.size + sum(sizes)}; fetch it again"
        )
    ends = np.cumsum([HEADER.size, *sizes]).tolist()
    return [data[a:b] for a, b in itertools.pairwise(ends)]


def _zstandard_streams(data: bytes, sizes: list[int]) -> list[bytes]:
    """Version 4: byte 16 says where the table of packed and plain sizes is; the streams follow it."""
    if len(data) < 32:
        raise UserError("the SPZ ends in its header; fetch it again")
    (table,) = struct.unpack_from("<I", data, 16)
    at = table + 16 * len(sizes)
    if at > len(data):
        raise UserError("the SPZ ends in its table of contents; fetch it again")
    streams = []
    for i, size in enumerate(sizes):
        packed, plain = struct.unpack_from("<QQ", data, table + 16 * i)
        if plain != size or packed > len(data) - at:
            raise UserError(
                f"stream {i} of the SPZ has {packed} bytes for {plain}; expected {size} in the file's "
                f"{len(data)}, so fetch it again"
            )
        try:
            stream = (
                zstandard.ZstdDecompressor().decompress(data[at : at + packed], max_output_size=size)
                if size
                else b""
            )
        except zstandard.ZstdError as error:
            raise UserError(f"stream {i} of the SPZ is damaged ({error}); fetch it again") from error
        if len(stream) != size:
            raise UserError(
                f"stream {i} of the SPZ gives {len(stream)} bytes; expected {size}, so fetch it again"
            )
        streams.append(stream)
        at += packed
    return streams


def _positions(raw: np.ndarray, count: int, version: int, fraction_bits: int) -> np.ndarray:
    if version == 1:
        return raw.reshape(count, 6).view("<f2").astype(np.float32)
    wide = np.zeros((count, 3, 4), np.uint8)
    wide[..., 1:] = raw.reshape(count, 3, 3)
    return (wide.view("<i4")[..., 0] >> 8).astype(np.float32) / np.float32(1 << fraction_bits)


def _rotations(raw: np.ndarray, version: int) -> np.ndarray:
    """Unit quaternions wxyz; in the file the order is xyzw."""
    count = len(raw)
    if version < 3:
        xyz = raw.astype(np.float32) / np.float32(127.5) - 1
        w = np.sqrt(np.clip(1 - (xyz * xyz).sum(1, keepdims=True), 0, None))
        return np.concatenate([w, xyz], 1).astype(np.float32)
    packed = np.ascontiguousarray(raw).view("<u4")[:, 0]
    largest = (packed >> 30).astype(np.int64)
    others = np.empty((count, 3), np.float32)
    for i in range(3):
        part = packed >> np.uint32(10 * (2 - i))
        size = (part & 511).astype(np.float32) * np.float32(np.sqrt(0.5) / 511)
        others[:, i] = np.where(part & 512, -size, size)
    rest = np.sqrt(np.clip(1 - (others * others).sum(1), 0, None))
    xyzw = np.empty((count, 4), np.float32)
    for axis in range(4):
        here, rows = [a for a in range(4) if a != axis], largest == axis
        xyzw[np.ix_(rows, here)] = others[rows]
        xyzw[rows, axis] = rest[rows]
    return xyzw[:, [3, 0, 1, 2]]


def _smallest_three(wxyz: np.ndarray) -> np.ndarray:
    """Two bits for which of xyzw is largest, then sign and nine bits for each of the others."""
    xyzw = wxyz[:, [1, 2, 3, 0]] / np.linalg.norm(wxyz, axis=1, keepdims=True).clip(1e-12)
    count = len(xyzw)
    largest = np.abs(xyzw).argmax(1) if count else np.zeros(0, np.int64)
    xyzw = xyzw * np.where(xyzw[np.arange(count), largest] < 0, -1, 1)[:, None]
    order = np.array([[a for a in range(4) if a != axis] for axis in range(4)])
    others = np.take_along_axis(xyzw, order[largest], 1)
    sizes = np.minimum(np.abs(others) * np.float32(511 * np.sqrt(2)) + 0.5, 511).astype(np.uint32)
    parts = sizes | ((others < 0).astype(np.uint32) << 9)
    packed = (largest.astype(np.uint32) << 30) | (parts[:, 0] << 20) | (parts[:, 1] << 10) | parts[:, 2]
    return packed.astype("<u4")


def _coefficients(rest: np.ndarray) -> np.ndarray:
    values = _byte(rest * 128 + 128)
    steps = np.full(rest.shape[1], STEP_OTHERS)
    steps[:3] = STEP_DEGREE_1
    halves = (steps // 2)[None, :, None]
    return np.minimum((values + halves) // steps[None, :, None] * steps[None, :, None], 255).astype(np.uint8)


def _byte(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(np.nan_to_num(values)), 0, 255).astype(np.uint8)


def _gunzip(data: bytes) -> bytes:
    """The plain bytes, never more than a file of the most Gaussians has."""
    stream = zlib.decompressobj(wbits=31)
    try:
        head = stream.decompress(data, HEADER.size)
        count = HEADER.unpack(head)[2] if len(head) == HEADER.size else 0
        most = MOST_PER_GAUSSIAN * min(count, MAX_COUNT)
        return head + stream.decompress(stream.unconsumed_tail, max(most, 1))
    except zlib.error as error:
        raise UserError(f"the SPZ's gzip stream is damaged ({error}); fetch it again") from error


def _gzip(data: bytes) -> bytes:
    """One gzip member, its pieces compressed side by side: each begins afresh, so they may be joined."""
    pieces = [data[i : i + CHUNK] for i in range(0, len(data), CHUNK)]

    def deflate(i: int) -> bytes:
        stream = zlib.compressobj(1, wbits=-15)
        last = i == len(pieces) - 1
        return stream.compress(pieces[i]) + stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)

    with ThreadPoolExecutor() as pool:
        body = b"".join(pool.map(deflate, range(len(pieces))))
    header = GZIP + b"\x08\0" + b"\0\0\0\0" + b"\0\xff"
    return header + body + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
