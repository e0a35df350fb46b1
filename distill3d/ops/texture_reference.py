"""The definition of texture sampling in plain torch: two levels, four texels each.

Source: Williams 1983, Pyramidal Parametrics.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def level_sizes(width: int, height: int, levels: int) -> list[tuple[int, int, int]]:
    """Width, height and first texel of every level."""
    sizes, first = [], 0
    for _ in range(levels):
        sizes.append((width, height, first))
        first += width * height
        width, height = max(1, width // 2), max(1, height // 2)
    return sizes


def between(
    coordinate: Float[Tensor, "N S"], size: Int[Tensor, "N S"], repeats: bool
) -> tuple[Int[Tensor, "N S"], Int[Tensor, "N S"], Float[Tensor, "N S"]]:
    """The texels before and after a coordinate, and the second's weight; texel i is at (i + ½) / size."""
    if repeats:
        position = (coordinate - coordinate.detach().floor()) * size - 0.5
        below = position.detach().floor()
        return below.long() % size, (below.long() + 1) % size, position - below
    position = torch.minimum((coordinate * size - 0.5).clamp_min(0), (size - 1).to(coordinate))
    below = position.detach().floor()
    return below.long(), torch.minimum(below.long() + 1, size - 1), position - below


def sample(
    pyramid: Float[Tensor, "N K C"],
    uv: Float[Tensor, "N S 2"],
    level: Float[Tensor, "N S"] | None,
    width: int,
    height: int,
    levels: int,
    repeats: bool,
) -> Float[Tensor, "N S C"]:
    """Values of textures whose levels follow each other in `pyramid`; see `distill3d.ops.texture`."""
    level = torch.zeros_like(uv[..., 0]) if level is None else level
    usable = uv.isfinite().all(-1) & level.isfinite()
    uv, level = torch.where(usable[..., None], uv, 0), torch.where(usable, level, 0).clamp(0, levels - 1)
    first = level.detach().floor()
    weight = level - first
    sizes = torch.tensor(level_sizes(width, height, levels), device=uv.device)

    def of(index: Tensor) -> Tensor:
        wide, high, start = sizes[index].unbind(-1)
        left, right, across = between(uv[..., 0], wide, repeats)
        top, bottom, down = between(uv[..., 1], high, repeats)
        which = torch.arange(len(pyramid), device=uv.device)[:, None]

        def texel(row: Tensor, column: Tensor) -> Tensor:
            return pyramid[which, start + row * wide + column]

        across, down = across[..., None], down[..., None]
        upper = texel(top, left) * (1 - across) + texel(top, right) * across
        lower = texel(bottom, left) * (1 - across) + texel(bottom, right) * across
        return upper * (1 - down) + lower * down

    near, far = of(first.long()), of((first.long() + 1).clamp_max(levels - 1))
    return (near + weight[..., None] * (far - near)) * usable[..., None]
