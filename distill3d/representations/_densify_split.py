"""Densification by splitting: Kerbl et al. 2023, "3D Gaussian Splatting for Real-Time Radiance Field
Rendering" (arXiv 2308.04079), section 5.2.

Primitives are ranked by the pull of the loss on their screen position, as in the paper, but a fixed share of
the best is split instead of comparing with a threshold, so that the scale of the loss does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from distill3d.rotation import matrix_from_wxyz

if TYPE_CHECKING:
    from distill3d.representations._primitives import Primitives

FROM, UNTIL, ROUNDS = 0.05, 0.8, 40
"""The share of a run in which primitives are split, and how many rounds a whole run would have."""
SPLIT_SHARE = 5
"""One of so many primitives is split in a round."""
TRANSPARENT = 0.02
"""Opacity from which on down a primitive is dropped."""
TOO_LARGE = 0.5
"""World units along an axis from which on a primitive is dropped, as no object in the unit ball needs it."""
APART, SHRUNK = 0.6, -0.5
"""Halves are so many standard deviations from where their parent was, and their log scale is so much less."""


def grow(
    scene: Primitives, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> None:
    """Drop the transparent, split the most pulled along their longest axis, in forty rounds or fewer."""
    every = max(steps // ROUNDS, 5)
    if step % every or not FROM * steps <= step <= UNTIL * steps:
        return
    alive = scene.opacity_logits.sigmoid() > TRANSPARENT
    if not scene.photographed:
        alive &= scene.log_scales.amax(-1).exp() < TOO_LARGE
    kept = alive.nonzero()[:, 0]
    room = min(int(scene.limit) - len(kept), max(len(kept) // SPLIT_SHARE, 20))
    split = kept[scene.pull[kept].topk(min(max(room, 0), len(kept))).indices]
    unsplit = kept[~torch.isin(kept, split)]
    rows = torch.cat([unsplit, split, split])
    values = {name: value[rows] for name, value in scene.learned().items()}
    _halve(values, len(unsplit), len(split))
    scene.rearrange(optimizer, rows, values, torch.arange(len(rows), device=rows.device) >= len(unsplit))


def _halve(values: dict[str, Tensor], first: int, count: int) -> None:
    """Make the last two runs of `count` rows the two halves of their parents, along the longest axis."""
    for side, rows in ((-1, slice(first, first + count)), (1, slice(first + count, first + 2 * count))):
        scales = values["log_scales"][rows].exp()
        longest = nn.functional.one_hot(scales.argmax(-1), scales.shape[1]).to(scales)
        axes = matrix_from_wxyz(values["wxyz"][rows])[..., : scales.shape[1]]
        values["means"][rows] += APART * side * (axes @ (scales * longest)[..., None])[..., 0]
        values["log_scales"][rows] += longest * SHRUNK
