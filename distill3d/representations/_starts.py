"""Where primitives start, and how large they are there."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d.scene import Seen
from distill3d.sh import MAX_DEGREE

FEWEST = 100
"""Known points from which on a scene starts at them."""
NEIGHBOURS = 3
LEAST_SPACING = 1e-5
"""World units; points may coincide."""


def check(kind: str, *, count: int, limit: int, radius: float, opacity: float, degree: int = 0) -> None:
    """A ValueError with a sentence if a scene cannot start like this."""
    if (
        count < 1
        or limit < count
        or not 0 < opacity < 1
        or not 0 < radius <= 1
        or not 0 <= degree <= MAX_DEGREE
    ):
        raise ValueError(
            f"{kind} cannot start with count {count}, limit {limit}, radius {radius:g}, "
            f"opacity {opacity:g} and degree {degree}; expected 1 <= count <= limit, 0 < radius <= 1, "
            f"0 < opacity < 1 and 0 <= degree <= {MAX_DEGREE}"
        )


def ball(count: int, radius: float, generator: torch.Generator) -> Float[Tensor, "N 3"]:
    """Points spread evenly in a ball around the origin."""
    directions = normalize(torch.randn(count, 3, generator=generator), dim=-1)
    return directions * torch.rand(count, 1, generator=generator) ** (1 / 3) * radius


def points(
    seen: Seen, *, count: int, limit: int, radius: float, generator: torch.Generator
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"]]:
    """Places and colours: the points that are known, or a grey ball of `count` if they are none or too few.

    There are at most `limit` of them.
    """
    if seen.points is None or seen.colours is None or len(seen.points) < FEWEST:
        count = min(count, limit)
        return ball(count, radius, generator), torch.full((count, 3), 0.5)
    some = torch.randperm(len(seen.points), generator=generator)[:limit].sort().values
    return seen.points[some], seen.colours[some]


def spacing(means: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
    """Mean distance of each point to the three nearest others, or to all where they are fewer."""
    from scipy.spatial import KDTree  # which takes a while, and who opens a scene does not start one

    if len(means) < 2:
        return torch.full((len(means),), 0.1)
    nearest = min(NEIGHBOURS, len(means) - 1)
    distances, _ = KDTree(means.numpy()).query(means.numpy(), k=nearest + 1)
    return torch.from_numpy(distances[:, 1:]).mean(-1).clamp_min(LEAST_SPACING).float()
