"""Small scenes of primitives, and maps of them."""

from __future__ import annotations

import torch
from torch import Tensor

from distill3d.camera import Cameras, orbit
from distill3d.extractor import FeatureMap
from distill3d.lift.operator import Operator, row_sum
from distill3d.representations._primitives import Primitives
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels


def scene(kind: type[Primitives] = Gaussians, count: int = 40, opacity: float = 0.7) -> Primitives:
    made = kind.start(count=count, radius=0.7, opacity=opacity)  # pyright: ignore[reportCallIssue]
    assert isinstance(made, Primitives)
    return made


def cameras(count: int = 5, *, width: int = 24, height: int = 16) -> Cameras:
    azimuths = torch.arange(float(count)) * 1.3
    return orbit(azimuths, 0.5 * torch.sin(azimuths), width=width, height=height)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def dense(operator: Operator) -> Tensor:
    """W, written down [V h w, N]."""
    return operator.matvec(torch.eye(operator.shape[3])).flatten(0, 2)


def shown(operator: Operator, features: Tensor) -> list[FeatureMap]:
    """What a scene with these features shows of them in the mean, wherever it is seen."""
    alpha = row_sum(operator)
    drawn = operator.matvec(features) / alpha.clamp_min(1e-6)
    return [FeatureMap(y, (a > 1e-6).float()) for y, a in zip(drawn, alpha, strict=True)]


__all__ = ["Gaussians", "Surfels", "cameras", "dense", "normal", "scene", "shown"]
