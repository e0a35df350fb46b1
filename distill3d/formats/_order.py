"""Gaussians in an order that keeps neighbours together, which is what compresses.

Source: Morton 1966, A Computer Oriented Geodetic Data Base and a New Technique in File Sequencing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int

BITS = 10
SPREAD = ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249))
"""Shifts and masks that put two zeros behind each of ten bits."""


def morton(means: Float32[np.ndarray, "N 3"]) -> Int[np.ndarray, "N"]:
    """The order of the centres along a Z-curve of 1024 cells a side."""
    if not len(means):
        return np.zeros(0, np.int64)
    finite = np.nan_to_num(means)
    low, high = finite.min(0), finite.max(0)
    finite -= low
    finite *= (2**BITS - 1) / np.maximum(high - low, 1e-12)
    code = np.zeros(len(means), np.uint32)
    for axis in range(3):
        cells = finite[:, axis].astype(np.uint32)
        for shift, mask in SPREAD:
            cells = (cells | (cells << np.uint32(shift))) & np.uint32(mask)
        code |= cells << np.uint32(axis)
    return code.argsort(kind="stable")
