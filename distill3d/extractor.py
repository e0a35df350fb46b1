"""Extractor: the contract of what says in feature maps what pictures show. Its kinds live in extractors/.

A map has a vector for each pixel, or for each patch of pixels, as networks for pictures give them. Only the
vectors' directions mean something: they are compared by their cosine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d.camera import Cameras
from distill3d.scene import Scene


@dataclass(frozen=True)
class FeatureMap:
    """What one picture shows."""

    vectors: Float[Tensor, "h w D"]
    """Of length one; zero where nothing is said."""
    believed: Float[Tensor, "h w 1"]
    """How far, 0 to 1; nothing is said where it is 0."""

    @classmethod
    def of(cls, vectors: Float[Tensor, "h w D"], believed: Float[Tensor, "h w 1"]) -> FeatureMap:
        """From vectors of any length; those of none say nothing."""
        said = vectors.norm(dim=-1, keepdim=True) > 1e-12
        return cls(torch.where(said, normalize(vectors, dim=-1), 0.0), believed * said)


@runtime_checkable
class FeatureMaps(Protocol):
    """The maps of V pictures, each made or read when it is asked for: the same one every time."""

    @property
    def cameras(self) -> Cameras:
        """[V] of the pictures: h · patch by w · patch pixels."""
        ...

    @property
    def patch(self) -> int:
        """Side in pixels of the square that one vector is of."""
        ...

    @property
    def channels(self) -> int:
        """D."""
        ...

    @property
    def words(self) -> Mapping[str, Float[Tensor, " D"]]:
        """Directions that have names, in lower case; none where the extractor does not read."""
        ...

    def __getitem__(self, view: int) -> FeatureMap: ...

    def judge(self, features: Float[Tensor, "N D"], weight: Float[Tensor, "N 1"]) -> dict[str, float]:
        """Numbers of the scene's lifted features against the truth, each primitive by its weight.

        None where no truth is known.
        """
        ...


@dataclass
class Extractor:
    """Says what pictures of a scene show."""

    def views(self, asked: int) -> int:
        """How many pictures there will be; `asked` unless they have been taken already."""
        return asked

    def maps(self, scene: Scene, *, views: int, size: int, seed: int) -> FeatureMaps:
        """What pictures of the scene show. `views` and `size`, their longer side in pixels, are for those
        extractors that take pictures themselves.

        Raises UserError where that cannot be said.
        """
        raise TypeError(f"{type(self).__name__} says nothing")
