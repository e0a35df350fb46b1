"""The layout of a multiresolution hash grid's table: tiny-cuda-nn's, so that tables can be exchanged.

Source: Müller et al. 2022, Instant Neural Graphics Primitives (arXiv 2201.05989), section 3 and appendix A;
tiny-cuda-nn's encodings/grid.h for all that the paper leaves open.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

PRIMES = (1, 2654435761, 805459861)
POSITION_LIMIT = 1024.0
"""Positions with a coordinate beyond this, or not finite, have no features."""
MAX_LEVELS = 32
MAX_SCALE = 2.0**20
"""With POSITION_LIMIT it keeps whole numbers of cells within 31 bits."""
DENSEST = {2: 0xFFFF, 3: 0x659}
"""The largest resolution whose entries can be counted in 32 bits, for each number of dimensions."""


@dataclass(frozen=True)
class Level:
    """One resolution of the grid. The table of all levels has the entries of one after those of another."""

    scale: float
    """Cells along an axis of [0, 1]; positions x lie at x·scale + ½."""
    resolution: int
    """Entries along an axis, where the level is dense."""
    entries: int
    hashed: bool
    first: int


@dataclass(frozen=True)
class HashGrid:
    """What a table of features means: grids of rising resolution over positions in [0, 1]², or [0, 1]³."""

    dimensions: int = 3
    levels: int = 8
    features: int = 2
    """Of an entry: 1, 2, 4 or 8."""
    log2_entries: int = 15
    """The base-2 logarithm of the most entries that a level may have; a finer one shares them by hashing."""
    base_resolution: int = 16
    """Entries along an axis of the coarsest level."""
    growth: float = 1.5
    """The factor from one level's resolution to the next."""
    smooth: bool = False
    """Interpolate by smoothstep, so that the features' derivatives are continuous, instead of linearly."""
    border: int = 0
    """Entries along an axis that a dense level has more than tiny-cuda-nn's: 1 in torch-ngp's tables."""

    @classmethod
    def spanning(cls, coarsest: int, finest: int, *, levels: int, log2_entries: int) -> HashGrid:
        """Levels that rise by equal factors from one resolution to another."""
        growth = (finest / coarsest) ** (1 / max(levels - 1, 1))
        return cls(levels=levels, log2_entries=log2_entries, base_resolution=coarsest, growth=growth)

    def __post_init__(self) -> None:
        """Raises ValueError for what no table can have."""
        expected = {
            "dimensions": "2 or 3",
            "features": "1, 2, 4 or 8",
            "levels": f"1 to {MAX_LEVELS}",
            "log2_entries": "3 to 24",
            "base_resolution": "1 or more",
            "growth": "a finite number, 1 or more",
            "border": "0 or 1",
        }
        sound = {
            "dimensions": self.dimensions in (2, 3),
            "features": self.features in (1, 2, 4, 8),
            "levels": 1 <= self.levels <= MAX_LEVELS,
            "log2_entries": 3 <= self.log2_entries <= 24,
            "base_resolution": self.base_resolution >= 1,
            "growth": math.isfinite(self.growth) and self.growth >= 1,
            "border": self.border in (0, 1),
        }
        for name, is_sound in sound.items():
            if not is_sound:
                raise ValueError(
                    f"a hash grid was given {name} {getattr(self, name)}; expected {expected[name]}"
                )
        finest = self.base_resolution * self.growth ** (self.levels - 1)
        if finest > MAX_SCALE:
            raise ValueError(
                f"the finest of {self.levels} levels would have {finest:.3g} entries along an axis, "
                f"expected at most {MAX_SCALE:.0f}; lower base_resolution, growth or levels"
            )

    @property
    def table_shape(self) -> tuple[int, int]:
        """Entries of all levels, and features of each."""
        last = levels(self)[-1]
        return last.first + last.entries, self.features

    @property
    def outputs(self) -> int:
        """Features of a position, those of the coarsest level first."""
        return self.levels * self.features


@functools.cache
def levels(grid: HashGrid) -> tuple[Level, ...]:
    """Every level, coarsest first, computed in float32 as tiny-cuda-nn does."""
    result: list[Level] = []
    first = 0
    log2_growth = np.float32(math.log2(np.float32(grid.growth)))
    for index in range(grid.levels):
        factor = np.float32(2.0 ** float(np.float32(index) * log2_growth))
        scale = float(factor * np.float32(grid.base_resolution) - np.float32(1))
        resolution = math.ceil(scale) + 1 + grid.border
        dense = resolution**grid.dimensions
        entries = min(-(-dense // 8) * 8, 2**grid.log2_entries)
        hashed = entries < dense or resolution > DENSEST[grid.dimensions]
        result.append(Level(scale, resolution, entries, hashed, first))
        first += entries
    return tuple(result)
