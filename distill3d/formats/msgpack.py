"""MessagePack, read strictly: every length is compared with the bytes that are left before anything is made.

Source: the MessagePack specification, github.com/msgpack/msgpack. Extension types are refused.
"""

from __future__ import annotations

import struct
from typing import Any

from distill3d.errors import UserError

MAX_DEPTH = 32
FIXED = {0xC0: None, 0xC2: False, 0xC3: True}
NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
NUMBERS |= {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
LENGTHS = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
"""Of bytes."""
TEXT_LENGTHS = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
LIST_LENGTHS = {0xDC: ">H", 0xDD: ">I"}
MAP_LENGTHS = {0xDE: ">H", 0xDF: ">I"}


def read(data: bytes) -> Any:
    """The value that is all of `data`; bytes are views into it."""
    reader = _Reader(memoryview(data))
    value = reader.value(0)
    if reader.at != len(data):
        raise UserError(f"{len(data) - reader.at} bytes follow the end of the MessagePack; fetch it again")
    return value


class _Reader:
    def __init__(self, data: memoryview) -> None:
        self.data, self.at = data, 0

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise UserError(
                f"the MessagePack is nested deeper than {MAX_DEPTH}; expected a network's weights"
            )
        kind = self.take(1)[0]
        if kind < 0x80 or kind >= 0xE0:
            return kind if kind < 0x80 else kind - 256
        if kind in FIXED:
            return FIXED[kind]
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind in LENGTHS:
            return self.take(self.number(LENGTHS[kind]))
        if 0xA0 <= kind < 0xC0 or kind in TEXT_LENGTHS:
            return self.text(kind & 31 if kind < 0xC0 else self.number(TEXT_LENGTHS[kind]))
        if kind & 0xF0 == 0x90 or kind in LIST_LENGTHS:
            count = self.count(kind & 15 if kind < 0xA0 else self.number(LIST_LENGTHS[kind]), 1)
            return [self.value(depth + 1) for _ in range(count)]
        if kind & 0xF0 == 0x80 or kind in MAP_LENGTHS:
            count = self.count(kind & 15 if kind < 0x90 else self.number(MAP_LENGTHS[kind]), 2)
            return {self.key(): self.value(depth + 1) for _ in range(count)}
        raise UserError(
            f"the MessagePack has a value of kind {kind:#x} at byte {self.at - 1}; fetch it again"
        )

    def key(self) -> str:
        found = self.value(MAX_DEPTH)
        if not isinstance(found, str):
            raise UserError(f"the MessagePack has a name that is no text at byte {self.at}; fetch it again")
        return found

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self, length: int) -> str:
        return bytes(self.take(length)).decode("utf-8", errors="replace")

    def count(self, count: int, least_bytes: int) -> int:
        """`count`, if so many values of at least so many bytes can still come."""
        if count * least_bytes > len(self.data) - self.at:
            self.cut_short(count * least_bytes)
        return count

    def take(self, length: int) -> memoryview:
        if length > len(self.data) - self.at:
            self.cut_short(length)
        self.at += length
        return self.data[self.at - length : self.at]

    def cut_short(self, length: int) -> None:
        raise UserError(
            f"the MessagePack ends after {len(self.data)} bytes, and {length} more are announced at byte "
            f"{self.at}; the file is cut short or damaged, so fetch it again"
        )
