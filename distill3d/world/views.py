"""View words: which part of the sphere around an object "front view" and the like speak of.

Above 60 degrees of elevation a camera has the overhead view. Below, the azimuth decides: within
45 degrees of +x it is the front, within 45 degrees of -x the back, and the side in between.
Every direction has exactly one word.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

VIEWS = ("front", "side", "back", "overhead")
OVERHEAD_FROM_RAD = math.radians(60)


def view_word(azimuth_rad: Float[Tensor, "*B"], elevation_rad: Float[Tensor, "*B"]) -> Int[Tensor, "*B"]:
    """The view word of each camera as an index into `VIEWS`; azimuths may be any multiple of a turn."""
    facing = azimuth_rad.cos()
    front, side, back, overhead = range(len(VIEWS))
    around = torch.where(facing > math.cos(math.pi / 4), front, side)
    around = torch.where(facing < -math.cos(math.pi / 4), back, around)
    return torch.where(elevation_rad > OVERHEAD_FROM_RAD, overhead, around)


def in_view(
    word: str, azimuth_rad: Float[Tensor, "*B"], elevation_rad: Float[Tensor, "*B"]
) -> Bool[Tensor, "*B"]:
    """Which cameras have the view `word`."""
    if word not in VIEWS:
        raise ValueError(f'"{word}" is no view word; use one of {", ".join(VIEWS)}')
    return view_word(azimuth_rad, elevation_rad) == VIEWS.index(word)
