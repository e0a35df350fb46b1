"""Unit quaternions as three numbers of four: the largest follows from the others, which lie within ±1/√2.

A quaternion and its negative are the same rotation, so the largest is taken to be positive.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int

OTHERS = np.array([[a for a in range(4) if a != largest] for largest in range(4)])
"""Which three places are left when one is the largest."""


def split(quaternions: Float32[np.ndarray, "N 4"]) -> tuple[Int[np.ndarray, "N"], Float32[np.ndarray, "N 3"]]:
    """The place of the largest number, and the others in order; lengths do not matter, and may be zero."""
    squared = np.einsum("ni,ni->n", quaternions, quaternions)[:, None]
    largest = np.abs(quaternions).argmax(1)
    sign = np.where(np.take_along_axis(quaternions, largest[:, None], 1) < 0, -1, 1)
    scale = (sign / np.sqrt(squared).clip(1e-12)).astype(np.float32)
    return largest, np.take_along_axis(quaternions, OTHERS[largest], 1) * scale


def join(largest: Int[np.ndarray, "N"], others: Float32[np.ndarray, "N 3"]) -> Float32[np.ndarray, "N 4"]:
    """The quaternions that `split` has taken apart, of length 1."""
    quaternions = np.empty((len(others), 4), np.float32)
    np.put_along_axis(quaternions, OTHERS[largest], others, 1)
    rest = np.sqrt(np.clip(1 - np.einsum("ni,ni->n", others, others), 0, None))
    np.put_along_axis(quaternions, largest[:, None], rest[:, None], 1)
    return quaternions
