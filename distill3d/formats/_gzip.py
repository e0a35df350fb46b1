"""Gzip in pieces that are compressed side by side, and unpacked no further than a file may reach.

Source: Deutsch 1996, RFC 1951 and RFC 1952.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from distill3d.formats._runs import runs

MAGIC = b"\x1f\x8b"
PIECE = 2 << 20
LEVEL, STRATEGY = 1, zlib.Z_RLE
"""Quantised numbers have few values of unlike frequency and hardly a phrase twice: codes and runs pack them
twice as fast as a search for phrases does, and smaller."""


def compressed(data: memoryview) -> bytes:
    """One gzip member. Its pieces, which begin afresh, are compressed side by side and joined."""
    pieces = list(runs(len(data), PIECE)) or [slice(0)]

    def deflate(piece: slice) -> bytes:
        stream = zlib.compressobj(LEVEL, wbits=-15, strategy=STRATEGY)
        last = piece is pieces[-1]
        return stream.compress(data[piece]) + stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)

    with ThreadPoolExecutor() as pool:
        body = pool.map(deflate, pieces)
        check = zlib.crc32(data)
    header = MAGIC + b"\x08\0" + b"\0\0\0\0" + b"\0\xff"
    return b"".join([header, *body, struct.pack("<II", check, len(data) & 0xFFFFFFFF)])


def plain(data: bytes, head: int, most: Callable[[bytes], int]) -> bytes:
    """The first `head` bytes of the content and up to `most` of them more; ValueError if it is damaged."""
    stream = zlib.decompressobj(wbits=31)
    try:
        first = stream.decompress(data, head)
        return first + stream.decompress(stream.unconsumed_tail, max(most(first), 1))
    except zlib.error as error:
        raise ValueError(str(error)) from error
