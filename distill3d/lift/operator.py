"""A renderer whose geometry is frozen is a matrix: what it draws is linear in the colours.

    Y = W F,   w_pj = α_pj ∏_{k before j} (1 − α_pk) ≥ 0

with a row for each pixel p of all pictures, a column for each primitive j, and any number of channels. W is
never written down: `matvec` draws, and `rmatvec` is the adjoint, by the kernels that draw and that weigh. Row
sums are the pictures' alpha. A network that sees its pictures in patches says one vector for each, and is
modelled by P W, where P takes the mean over patches: so no vector is spread over pixels that it is not of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.representations._primitives import Primitives
from distill3d.scene import Scene


@runtime_checkable
class Operator(Protocol):
    """W of V pictures of h by w values and of N primitives."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """V, h, w and N."""
        ...

    def matvec(self, features: Float[Tensor, "N D"]) -> Float[Tensor, "V h w D"]:
        """W F: features of primitives, drawn like colours."""
        ...

    def rmatvec(self, maps: Float[Tensor, "V h w D"]) -> Float[Tensor, "N D"]:
        """Wᵀ Y: for each primitive the sum over what it is seen in."""
        ...

    def __getitem__(self, views: slice) -> Operator:
        """The rows of some of the pictures."""
        ...


def row_sum(operator: Operator) -> Float[Tensor, "V h w 1"]:
    """W 1: how much of each value is seen, 0 to 1."""
    return operator.matvec(torch.ones(operator.shape[3], 1))


def col_sum(operator: Operator) -> Float[Tensor, "N 1"]:
    """Wᵀ 1: how much of the pictures each primitive is."""
    return operator.rmatvec(torch.ones(*operator.shape[:3], 1))


@dataclass(frozen=True)
class Drawn:
    """W of primitives: what is drawn with features in the place of colours, and its adjoint."""

    scene: Primitives
    cameras: Cameras

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.cameras), self.cameras.height, self.cameras.width, len(self.scene.means)

    def matvec(self, features: Float[Tensor, "N D"]) -> Float[Tensor, "V h w D"]:
        return self.scene.draw(features, self.cameras)

    def rmatvec(self, maps: Float[Tensor, "V h w D"]) -> Float[Tensor, "N D"]:
        return self.scene.gather(maps, self.cameras)

    def __getitem__(self, views: slice) -> Drawn:
        return replace(self, cameras=self.cameras[views])


@dataclass(frozen=True)
class Pooled:
    """P W: each value is the mean over a square patch of the inner operator's, whose sides it divides."""

    inner: Operator
    patch: int
    """Side of a patch in pixels."""

    def __post_init__(self) -> None:
        _, height, width, _ = self.inner.shape
        if self.patch < 1 or height % self.patch or width % self.patch:
            raise ValueError(
                f"patches of {self.patch} pixels in pictures of {width} x {height}; expected a "
                "divisor of both"
            )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        views, height, width, count = self.inner.shape
        return views, height // self.patch, width // self.patch, count

    def matvec(self, features: Float[Tensor, "N D"]) -> Float[Tensor, "V h w D"]:
        return pooled(self.inner.matvec(features), self.patch)

    def rmatvec(self, maps: Float[Tensor, "V h w D"]) -> Float[Tensor, "N D"]:
        spread = maps.repeat_interleave(self.patch, 1).repeat_interleave(self.patch, 2)
        return self.inner.rmatvec(spread / self.patch**2)

    def __getitem__(self, views: slice) -> Pooled:
        return replace(self, inner=self.inner[views])


def pooled(maps: Float[Tensor, "*B H W D"], patch: int) -> Float[Tensor, "*B h w D"]:
    """The mean over each patch of a side of `patch` pixels."""
    return maps.unflatten(-2, (-1, patch)).unflatten(-4, (-1, patch)).mean((-2, -4))


def operator_of(scene: Scene, cameras: Cameras, *, patch: int = 1) -> Operator:
    """W of a scene of primitives from cameras [V], pooled over patches.

    Raises TypeError for a scene that is not made of primitives; ValueError for patches that do not fit.
    """
    if not isinstance(scene, Primitives):
        raise TypeError(f"given a {type(scene).__name__}, expected Gaussians or surfels")
    drawn = Drawn(scene, cameras)
    return drawn if patch == 1 else Pooled(drawn, patch)
