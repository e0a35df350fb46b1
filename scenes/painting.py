"""The painting of the amphora: bands of rays, keys, waves, tongues and palmettes, as on Attic vases.

Places are u, once around, and v, from the foot to the lip, both 0 to 1. A figure says where its band is
black, given u and how far up the band.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CLAY, INK, OCHRE = np.array([0.84, 0.47, 0.24]), np.array([0.10, 0.08, 0.09]), np.array([0.93, 0.80, 0.55])
KEY = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 1, 1, 1, 1, 1, 0],
        [1, 0, 1, 0, 0, 0, 1, 0],
        [1, 0, 1, 0, 1, 1, 1, 0],
        [1, 0, 1, 0, 0, 0, 0, 0],
        [1, 0, 1, 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]
)
"""One turn of a Greek key."""


def painting(u: Array, v: Array) -> Array:
    """Colours [V, U, 3] of the body at u [1, U] and v [V, 1]."""

    def band(low: float, high: float, figure: Callable[[Array, Array], Mask]) -> Mask:
        return (v >= low) & (v < high) & figure(u, (v - low) / (high - low))

    black = [
        band(0.0, 0.06, _glaze),
        band(0.10, 0.30, _rays),
        band(0.36, 0.44, _keys),
        band(0.48, 0.61, _waves),
        band(0.65, 0.73, _tongues),
        band(0.77, 0.85, _palmettes),
        band(0.87, 1.01, _glaze),
        *(band(low, low + 0.01, _glaze) for low in (0.315, 0.335, 0.455, 0.625, 0.745)),
    ]
    colour = np.where(np.any(black, axis=0)[..., None], INK, CLAY)
    return np.where(band(0.48, 0.61, _dots)[..., None], OCHRE, colour)


def _glaze(u: Array, v: Array) -> Mask:
    return np.ones(np.broadcast_shapes(u.shape, v.shape), bool)


def _rays(u: Array, v: Array) -> Mask:
    """Between twenty-four narrow triangles that point up."""
    return np.abs((24 * u) % 1 - 0.5) <= 0.5 * v


def _keys(u: Array, v: Array) -> Mask:
    row, column = (7.999 * (1 - v)).astype(int).clip(0, 7), (8 * ((24 * u) % 1)).astype(int)
    return KEY[row, column] == 1


def _waves(u: Array, v: Array) -> Mask:
    return v < 0.5 + 0.17 * np.sin(24 * np.pi * u)


def _dots(u: Array, v: Array) -> Mask:
    """One in each trough of the waves."""
    return np.hypot((12 * u + 0.75) % 1 - 0.5, 1.44 * (v - 0.72)) < 0.16


def _tongues(u: Array, v: Array) -> Mask:
    """Forty-eight strokes with round lower ends."""
    across = np.abs((48 * u) % 1 - 0.5)
    return (across < 0.32) & ((v > 0.3) | (np.hypot(across / 0.32, (v - 0.3) / 0.3) < 1))


def _palmettes(u: Array, v: Array) -> Mask:
    """Sixteen fans of seven leaves."""
    x, y = 2 * ((16 * u) % 1) - 1, 1.8 * v
    angle, radius = np.arctan2(x, y), np.hypot(x, y)
    leaves = (np.abs(np.cos(3.5 * angle)) > 0.45) | (radius < 0.25)
    return leaves & (radius < 0.95) & (np.abs(angle) < 1.4)
