"""`hashgrid` on tiny-cuda-nn's own kernels, through its documented torch module `tinycudann.Encoding`.

The table is the same; an encoder is kept for each layout, and its parameters are replaced at every call.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from distill3d.ops.hashgrid_layout import HashGrid


def configuration(grid: HashGrid) -> dict[str, Any]:
    """The grid in the words of tiny-cuda-nn's DOCUMENTATION.md, section Grid."""
    return {
        "otype": "Grid",
        "type": "Hash",
        "n_levels": grid.levels,
        "n_features_per_level": grid.features,
        "log2_hashmap_size": grid.log2_entries,
        "base_resolution": grid.base_resolution,
        "per_level_scale": grid.growth,
        "interpolation": "Smoothstep" if grid.smooth else "Linear",
    }


@functools.cache
def _encoder(grid: HashGrid, device: torch.device) -> torch.nn.Module:
    import tinycudann  # type: ignore[import-not-found]

    with torch.cuda.device(device):
        encoder = tinycudann.Encoding(grid.dimensions, configuration(grid), dtype=torch.float32)
    entries, features = grid.table_shape
    if encoder.params.numel() != entries * features:
        raise RuntimeError(
            f"tinycudann gives {grid} a table of {encoder.params.numel()} numbers, "
            f'expected {entries * features}; run inside use("cuda")'
        )
    return encoder


def hashgrid(positions: Tensor, table: Tensor, grid: HashGrid) -> Tensor:
    """The arguments are those of `distill3d.ops.hashgrid.hashgrid`."""
    encoder = _encoder(grid, positions.device)
    return torch.func.functional_call(encoder, {"params": table.reshape(-1)}, (positions,)).float()
