"""MessagePack written the plain way, for tests of its reader."""

from __future__ import annotations

import struct
from typing import Any


def pack(value: Any) -> bytes:
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int() if 0 <= value < 128:
            return struct.pack("B", value)
        case int():
            return b"\xd3" + struct.pack(">q", value)
        case float():
            return b"\xcb" + struct.pack(">d", value)
        case str():
            return b"\xdb" + struct.pack(">I", len(value.encode())) + value.encode()
        case bytes():
            return b"\xc6" + struct.pack(">I", len(value)) + value
        case list():
            return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
        case dict():
            rows = b"".join(pack(k) + pack(v) for k, v in value.items())
            return b"\xdf" + struct.pack(">I", len(value)) + rows
    raise TypeError(type(value))
