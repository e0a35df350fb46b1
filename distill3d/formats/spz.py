"""SPZ: Gaussians in about a tenth of a PLY's bytes (Niantic, github.com/nianticlabs/spz), versions 1 to 4.

Per Gaussian, in streams of their own: the centre in fixed point (24 bits an axis), 8 bits of opacity, 24 of
colour, 8 of each log scale, a quaternion, and 8 bits of each higher coefficient, colour by colour. Versions
1 to 3 are one gzip stream of header and data; version 4 has a plain header, a table of contents and a
zstandard stream for each.

The file's camera axes are right, up, back where a PLY's are right, down, forward: half a turn around x.
"""

from __future__ import annotations

import struct

import numpy as np
import torch
import zstandard
from torch import Tensor

from distill3d.errors import UserError, lost
from distill3d.formats import _gzip, _smallest_three
from distill3d.formats._runs import arrays, logit, side_by_side, sigmoid
from distill3d.ply import MAX_COUNT
from distill3d.sh import MAX_DEGREE

MAGIC = b"NGSP"
GZIP = b"\x1f\x8b"
HEADER = struct.Struct("<4sIIBBBB")
WRITTEN = 3
FRACTION_BITS = 12
REST = (0, 3, 8, 15, 24)  # higher coefficients of degrees 0 to 4
MOST_STORED = len(REST) - 1
ANTIALIASED = 1
"""The flag of Gaussians that are drawn antialiased."""
COLOUR_SCALE = np.float32(0.15)
STEP_DEGREE_1, STEP_OTHERS = 8, 16  # of 256: five bits for degree 1, four for the others
TURN_MEANS = np.array([1, -1, -1], np.float32)
TURN_WXYZ = np.array([1, 1, -1, -1], np.float32)
TURN_SH = np.array([-1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1], np.float32)
"""What half a turn around x does to centres, quaternions and higher coefficients; it is its own inverse."""
MOST_WINDOW, AT_ONCE = 1 << 25, 1 << 20
"""Bytes that zstandard may look back, and that are unpacked together."""
MOST_PER_GAUSSIAN = 9 + 1 + 3 + 3 + 4 + 3 * REST[MOST_STORED]


def read(data: bytes) -> dict[str, Tensor]:
    """The state of a Gaussians scene: means, wxyz, log_scales, opacity_logits, sh, perhaps antialiased.

    Harmonics of degree 4 are left out with a warning.
    """
    if data.startswith(GZIP):
        data = _gunzip(data)
    if len(data) < HEADER.size:
        raise UserError(f"the SPZ has {len(data)} bytes; expected at least {HEADER.size}, so fetch it again")
    magic, version, count, stored, fraction_bits, flags, _streams = HEADER.unpack_from(data)
    if magic != MAGIC or not 1 <= version <= 4:
        raise UserError(f"not an SPZ of version 1 to 4: it begins with {magic!r} and version {version}")
    if stored > MOST_STORED or count > MAX_COUNT or fraction_bits > 24:
        raise UserError(
            f"the SPZ says {count} Gaussians of degree {stored} with {fraction_bits} bits of fraction; "
            f"expected at most {MAX_COUNT}, degree {MOST_STORED} and 24 bits"
        )
    degree = min(stored, MAX_DEGREE)
    if degree < stored:
        lost(f"the SPZ has harmonics up to degree {stored}; those over {degree} are left out")
    widths = _widths(version, stored)
    streams = _zstandard_streams(data, count, widths) if version == 4 else _plain_streams(data, count, widths)
    position, alpha, colour, scale, rotation, rest = streams
    higher = rest.reshape(count, REST[stored], 3)[:, : REST[degree]]
    shapes = {
        "means": (3,),
        "wxyz": (4,),
        "log_scales": (3,),
        "opacity_logits": (),
        "sh": (1 + REST[degree], 3),
    }
    state = {name: np.empty((count, *shape), np.float32) for name, shape in shapes.items()}

    def unpack(rows: slice) -> None:
        state["means"][rows] = _positions(position[rows], version, fraction_bits) * TURN_MEANS
        state["wxyz"][rows] = _rotations(rotation[rows], version) * TURN_WXYZ
        state["log_scales"][rows] = scale[rows] / np.float32(16) - 10
        state["opacity_logits"][rows] = logit(alpha[rows, 0] / np.float32(255), 255)
        state["sh"][rows, 0] = (colour[rows] / np.float32(255) - np.float32(0.5)) / COLOUR_SCALE
        state["sh"][rows, 1:] = (higher[rows] - np.float32(128)) * (_turn(degree) / 128)

    side_by_side(count, unpack)
    notes = {"antialiased": torch.tensor(True)} if flags & ANTIALIASED else {}
    return {name: torch.from_numpy(values) for name, values in state.items()} | notes


def write(state: dict[str, Tensor]) -> bytes:
    """The file (version 3) for the state of a Gaussians scene. Centres beyond ±2048 units are refused."""
    learned = arrays(state)
    count, degree = len(learned["means"]), _degree(learned["sh"].shape[1])
    farthest = np.abs(learned["means"]).max(initial=0)
    if not farthest * (1 << FRACTION_BITS) < (1 << 23) - 1:
        raise UserError(
            f"a centre is {farthest:g} units from the origin, or not finite; "
            f"SPZ holds up to {1 << (23 - FRACTION_BITS)}, so move or scale the scene"
        )
    widths = _widths(WRITTEN, degree)
    plain = np.empty(HEADER.size + count * sum(widths), np.uint8)
    flags = ANTIALIASED if state.get("antialiased", False) else 0
    header = HEADER.pack(MAGIC, WRITTEN, count, degree, FRACTION_BITS, flags, 0)
    plain[: HEADER.size] = np.frombuffer(header, np.uint8)
    position, alpha, colour, scale, rotation, rest = _plain_streams(plain, count, widths)
    higher = rest.reshape(count, REST[degree], 3)

    def pack(rows: slice) -> None:
        means, wxyz, log_scales, logits, sh = (values[rows] for values in learned.values())
        fixed = np.rint(means * (TURN_MEANS * (1 << FRACTION_BITS))).astype("<i4")
        position[rows] = fixed.view(np.uint8).reshape(-1, 3, 4)[..., :3].reshape(-1, 9)
        alpha[rows, 0] = _byte(sigmoid(logits) * 255)
        colour[rows] = _byte(sh[:, 0] * (COLOUR_SCALE * 255) + np.float32(127.5))
        scale[rows] = _byte((log_scales + 10) * 16)
        rotation[rows] = _packed_rotations(wxyz * TURN_WXYZ).view(np.uint8).reshape(-1, 4)
        higher[rows] = _coefficients(sh[:, 1:] * _turn(degree))

    side_by_side(count, pack)
    return _gzip.compressed(plain.data)


def _degree(coefficients: int) -> int:
    degree = {1 + rest: degree for degree, rest in enumerate(REST)}.get(coefficients)
    if degree is None or degree > MAX_DEGREE:
        raise UserError(f"{coefficients} coefficients of harmonics; SPZ holds 1, 4, 9 or 16")
    return degree


def _turn(degree: int) -> np.ndarray:
    return TURN_SH[: REST[degree], None]


def _widths(version: int, degree: int) -> tuple[int, ...]:
    """A Gaussian's bytes of position, alpha, colour, scale, rotation and higher coefficients."""
    return (6 if version == 1 else 9, 1, 3, 3, 3 if version < 3 else 4, 3 * REST[degree])


def _plain_streams(data: bytes | np.ndarray, count: int, widths: tuple[int, ...]) -> list[np.ndarray]:
    """The streams behind the header, a row for each Gaussian; views, not copies."""
    if len(data) < HEADER.size + count * sum(widths):
        raise UserError(
            f"the SPZ ends after {len(data)} bytes and needs {HEADER.size + count * sum(widths)}; "
            "fetch it again"
        )
    streams, at = list[np.ndarray](), HEADER.size
    for width in widths:
        streams.append(np.frombuffer(data, np.uint8, count * width, at).reshape(count, width))
        at += count * width
    return streams


def _zstandard_streams(data: bytes, count: int, widths: tuple[int, ...]) -> list[np.ndarray]:
    """Version 4: byte 16 says where the table of packed and plain sizes is; the streams follow it."""
    if len(data) < 32:
        raise UserError("the SPZ ends in its header; fetch it again")
    (table,) = struct.unpack_from("<I", data, 16)
    at = table + 16 * len(widths)
    if at > len(data):
        raise UserError("the SPZ ends in its table of contents; fetch it again")
    streams = []
    for i, width in enumerate(widths):
        size = count * width
        packed, plain = struct.unpack_from("<QQ", data, table + 16 * i)
        if plain != size or packed > len(data) - at:
            raise UserError(
                f"stream {i} of the SPZ has {packed} bytes for {plain}; expected {size} in the file's "
                f"{len(data)}, so fetch it again"
            )
        try:
            stream = _decompressed(data[at : at + packed], size) if size else b""
        except zstandard.ZstdError as error:
            raise UserError(f"stream {i} of the SPZ is damaged ({error}); fetch it again") from error
        if len(stream) != size:
            raise UserError(
                f"stream {i} of the SPZ gives {len(stream)} bytes; expected {size}, so fetch it again"
            )
        streams.append(np.frombuffer(stream, np.uint8).reshape(count, width))
        at += packed
    return streams


def _decompressed(packed: bytes, size: int) -> bytes:
    """At most one byte more than `size`, in steps: what a stream says of its own size is not believed."""
    parts, left = list[bytes](), size + 1
    with zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW).stream_reader(packed) as reader:
        while left and (part := reader.read(min(left, AT_ONCE))):
            parts.append(part)
            left -= len(part)
    return b"".join(parts)


def _positions(raw: np.ndarray, version: int, fraction_bits: int) -> np.ndarray:
    if version == 1:
        return raw.view("<f2").astype(np.float32)
    wide = np.zeros((len(raw), 3, 4), np.uint8)
    wide[..., 1:] = raw.reshape(-1, 3, 3)
    return (wide.view("<i4")[..., 0] >> 8) * np.float32(0.5**fraction_bits)


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
    return _smallest_three.join(largest, others)[:, [3, 0, 1, 2]]


def _packed_rotations(wxyz: np.ndarray) -> np.ndarray:
    """Two bits for which of xyzw is largest, then sign and nine bits for each of the others."""
    largest, others = _smallest_three.split(wxyz[:, [1, 2, 3, 0]])
    sizes = np.minimum(np.abs(others) * np.float32(511 * np.sqrt(2)) + np.float32(0.5), 511).astype(np.uint32)
    parts = sizes | ((others < 0).astype(np.uint32) << 9)
    packed = (largest.astype(np.uint32) << 30) | (parts[:, 0] << 20) | (parts[:, 1] << 10) | parts[:, 2]
    return packed.astype("<u4")


def _coefficients(rest: np.ndarray) -> np.ndarray:
    """Bytes rounded to multiples of a step, so that they compress."""
    steps = np.full((rest.shape[1], 1), STEP_OTHERS, np.uint16)
    steps[:3] = STEP_DEGREE_1
    nearest = (_byte(rest * 128 + 128) + steps // 2) & ~(steps - 1)
    return np.minimum(nearest, 255).astype(np.uint8)


def _byte(values: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 to 255; what is no number becomes 0."""
    return np.clip(np.rint(np.nan_to_num(values)), 0, 255).astype(np.uint8)


def _gunzip(data: bytes) -> bytes:
    """The plain bytes, never more than its header's count of Gaussians may have."""

    def most(head: bytes) -> int:
        count = HEADER.unpack(head)[2] if len(head) == HEADER.size else 0
        return MOST_PER_GAUSSIAN * min(count, MAX_COUNT)

    try:
        return _gzip.plain(data, HEADER.size, most)
    except ValueError as error:
        raise UserError(f"the SPZ's gzip stream is damaged ({error}); fetch it again") from error
