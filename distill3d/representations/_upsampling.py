"""Grids of a fit that become finer as its pictures do: a quarter, a half, and all of their resolution.

Source: Chen et al. 2022, TensoRF (arXiv 2203.09517), section 4, coarse to fine; the steps are those at which
`distill` moves on to larger pictures.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

COARSE = 4
"""The finest resolution over the first."""
FINER = ((0.3, 1), (0.1, 2))
"""From that share of a run on, the finest resolution is divided by so much only."""


def coarse(resolution: int) -> int:
    """The resolution to begin with, for one to end with. Raises ValueError where that is less than 2."""
    if resolution < 2:
        raise ValueError(f"a fit cannot start with resolution {resolution}; expected 2 or more")
    return max(2, -(-resolution // COARSE))


def due(finest: int, step: int, steps: int) -> int | None:
    """The resolution to take up after this step, if it is a step after which to do so."""
    for share, divisor in FINER:
        if step == max(1, round(share * steps)):
            return max(2, -(-finest // divisor))
    return None


def lines(table: Float[Tensor, "K N C"], resolution: int) -> Float[Tensor, "K M C"]:
    """Lines of features, resampled; ends stay ends."""
    return _channels_last(table, (resolution,), "linear")


def planes(table: Float[Tensor, "K N N C"], resolution: int) -> Float[Tensor, "K M M C"]:
    """Planes of features, resampled; borders stay borders."""
    return _channels_last(table, (resolution,) * 2, "bilinear")


def volume(table: Float[Tensor, "N N N C"], resolution: int) -> Float[Tensor, "M M M C"]:
    """A volume of features, resampled; borders stay borders."""
    return _channels_last(table[None], (resolution,) * 3, "trilinear")[0]


def _channels_last(table: Tensor, size: tuple[int, ...], mode: str) -> Tensor:
    resampled = interpolate(table.movedim(-1, 1), size, mode=mode, align_corners=True)
    return resampled.movedim(1, -1).contiguous()


def replace(scene: nn.Module, optimizer: torch.optim.Optimizer, values: dict[str, Tensor]) -> None:
    """Put new parameters into a scene and its optimizer, which has seen no gradients of them yet."""
    for name, value in values.items():
        old, new = scene.get_parameter(name), nn.Parameter(value)
        for group in optimizer.param_groups:
            group["params"] = [new if one is old else one for one in group["params"]]
        optimizer.state.pop(old, None)
        setattr(scene, name, new)
