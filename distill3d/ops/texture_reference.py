"""The definition of texture sampling in plain torch: probes along a footprint, two levels, four texels each.

Source: Williams 1983, Pyramidal Parametrics; McCormack et al. 1999, Feline.
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


def probes_of(length: Float[Tensor, "N S"]) -> list[tuple[Float[Tensor, "N S"], Float[Tensor, "N S"]]]:
    """Where the probes of footprints of a length are, in steps from the middle, and their weights.

    Probe k stands for what [-length / 2, length / 2] covers of the step from k - ½ to k + ½, and is in the
    middle of it.
    """
    probes = [(torch.zeros_like(length), 1 / length)]
    farthest = int(((length.detach().max() - 1) / 2).ceil()) if length.numel() else 0
    for k in range(1, farthest + 1):
        covered = (length / 2 - (k - 0.5)).clamp(0, 1)
        offset = k - 0.5 + covered / 2
        probes += [(offset, covered / length), (-offset, covered / length)]
    return probes


def sample(
    pyramid: Float[Tensor, "N K C"],
    uv: Float[Tensor, "N S 2"],
    footprint: Float[Tensor, "N S 4"] | None,
    width: int,
    height: int,
    levels: int,
    repeats: bool,
) -> Float[Tensor, "N S C"]:
    """Values of textures whose levels follow each other in `pyramid`; see `distill3d.ops.texture`.

    A footprint is a level, a length of 1 to 15 steps, and a step in u and in v, as in `ops.footprint`.
    """
    if footprint is None:
        footprint = torch.cat([torch.zeros_like(uv[..., :1]), torch.ones_like(uv[..., :1]), 0 * uv], -1)
    usable = uv.isfinite().all(-1) & footprint.isfinite().all(-1)
    uv, footprint = (torch.where(usable[..., None], given, 0) for given in (uv, footprint))
    level, length = footprint[..., 0].clamp(0, levels - 1), footprint[..., 1].clamp_max(15)
    length = torch.where(length > 1, length, 1)
    value = sum(
        (
            weight[..., None]
            * _probe(
                pyramid,
                uv + offset[..., None] * footprint[..., 2:],
                level,
                level_sizes(width, height, levels),
                repeats,
            )
        )
        for offset, weight in probes_of(length)
    )
    return value * usable[..., None]


def _probe(
    pyramid: Tensor, uv: Tensor, level: Tensor, level_sizes: list[tuple[int, int, int]], repeats: bool
) -> Tensor:
    """Linear between the four texels around a place in either of two levels, and between these."""
    first = level.detach().floor()
    sizes = torch.tensor(level_sizes, device=uv.device)

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

    near, far = of(first.long()), of((first.long() + 1).clamp_max(len(level_sizes) - 1))
    return near + (level - first)[..., None] * (far - near)
