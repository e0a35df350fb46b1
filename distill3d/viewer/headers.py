"""The headers of binary messages from the server to the page: 32 bytes, little endian."""

from __future__ import annotations

from dataclasses import dataclass

FRAME, DIFFERENCE, ARRAY = 1, 2, 3
"""`kind` of a message."""
JPEG, PNG = 1, 2
"""`codec` of a picture."""
SCALARS, COLOURS = 1, 2
"""`content` of an array."""


@dataclass(frozen=True)
class FrameHeader:
    """A picture: `colour_bytes` of JPEG or PNG (RGB, premultiplied by alpha), then W·H bytes of alpha, then,
    if `has_depth`, W·H unsigned 16-bit depths; all from the top left.

    A depth of 0: nothing is there. Else it is inverse: 1/z = 1/far + (depth - 1) / 65534 · (1/near - 1/far),
    with z the camera's z. A difference is a picture in colours already, opaque and without depth.
    """

    LAYOUT = "<BBHIHHIffBBBxI"

    kind: int
    codec: int
    layer: int
    seq: int
    width: int
    height: int
    colour_bytes: int
    near: float
    far: float
    pane: int
    last: int
    """1 if nothing finer follows."""
    has_depth: int
    milliseconds: int
    """That rendering took."""


@dataclass(frozen=True)
class ArrayHeader:
    """`count` numbers, of each primitive: float32 (SCALARS; NaN where unknown) or 3 bytes of
    RGB (COLOURS).
    """

    LAYOUT = "<BBHIIff12x"

    kind: int
    content: int
    layer: int
    seq: int
    count: int
    low: float
    """Of the range to show: scalars may lie outside it."""
    high: float
