"""Display values and amounts of light: the transfer function of sRGB (IEC 61966-2-1), on values in 0 to 1."""

from __future__ import annotations

import numpy as np


def to_light(display: np.ndarray) -> np.ndarray:
    """Amounts of light, as glTF keeps the colours of vertices and materials, from display values."""
    return np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)


def to_display(light: np.ndarray) -> np.ndarray:
    """Display values, as pictures have them, from amounts of light."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
