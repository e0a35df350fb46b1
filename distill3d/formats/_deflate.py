"""Streams of zlib and gzip, unpacked no further than makes sense."""

from __future__ import annotations

import zlib

from distill3d.errors import UserError

MOST = 32
"""Times its own size that a stream may have unpacked: deflate itself could reach 1032."""
ALWAYS = 1 << 26
"""Bytes that any stream may have unpacked: an empty density grid of instant-ngp has 34 million, all alike."""


def packed(data: bytes) -> bool:
    """Whether it begins as gzip, or as zlib does."""
    return data.startswith(b"\x1f\x8b") or (data[:1] == b"\x78" and int.from_bytes(data[:2], "big") % 31 == 0)


def unpacked(data: bytes) -> bytes:
    """The content of a stream that is `packed`."""
    limit = MOST * len(data) + ALWAYS
    stream = zlib.decompressobj(wbits=47)
    try:
        content = stream.decompress(data, limit)
    except zlib.error as error:
        raise UserError(f"damaged where it is compressed ({error}); fetch it again") from error
    if not stream.eof and len(content) == limit:
        raise UserError(
            f"{len(data)} bytes that unpack to more than {limit}; expected less, so fetch it again"
        )
    if not stream.eof:
        raise UserError(f"cut short: its compressed stream does not end after {len(data)} bytes")
    return content
