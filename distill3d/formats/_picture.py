"""Pictures that a mesh brings along: opened far enough to know that they can be unpacked."""

from __future__ import annotations

import io
import warnings

from PIL import Image

MAX_PIXELS = 1 << 26
"""Of a texture, 8192 squared: how large it is when unpacked is only up to the few bytes of its header."""


def fault(data: bytes) -> str:
    """Why these bytes are no picture to be read; empty if they are one."""
    try:
        with warnings.catch_warnings(action="ignore"):
            picture = Image.open(io.BytesIO(data))
            if picture.width * picture.height > MAX_PIXELS:
                return f"has {picture.width} x {picture.height} pixels; at most {MAX_PIXELS} are read"
            picture.load()
    except Exception as error:  # every format of pictures fails in its own way
        return f"cannot be read ({(str(error).splitlines() or [type(error).__name__])[0][:80]})"
    return ""
