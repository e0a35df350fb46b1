"""Fields that another program made: they have coordinates of their own, their source's.

In those the encoding lies and densities and directions are meant; a similarity lets them stand in our world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.field import Field

EMPTY = -30.0
"""Logarithm of the density where nothing is drawn."""


@dataclass(frozen=True)
class Place:
    """Where a field stands, and the world that it came from."""

    to_source: Float[Tensor, "3 4"] = field(default_factory=lambda: torch.eye(3, 4))
    """From our world to the source's coordinates: a similarity."""
    cube: Float[Tensor, "2 3"] = field(default_factory=lambda: torch.tensor([[-1.0] * 3, [1.0] * 3]))
    """The lowest and the highest corner of the grid, in the source's coordinates."""
    drawn: Float[Tensor, "2 3"] = field(default_factory=lambda: torch.tensor([[-1.0] * 3, [1.0] * 3]))
    """The box outside of which there is nothing, in the source's coordinates."""
    scene_transform: Float[Tensor, "4 4"] = field(default_factory=lambda: torch.eye(4).double())
    """From the world of the photographs that the field was trained on to ours, where that is known."""

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Place:
        """The place that a scene's state holds; `scene_transform` is the scene's own affair."""
        return cls(*(state[name] for name in NAMES))


NAMES = ("to_source", "cube", "drawn")


class Placed(Field):
    """A field that stands in our world by a similarity; its colours follow the direction of sight."""

    directional = True
    to_source: Tensor
    cube: Tensor
    drawn: Tensor

    def __init__(self, *, samples: int, place: Place | None = None) -> None:
        super().__init__(samples=samples)
        place = place or Place()
        for name in NAMES:
            self.register_buffer(name, getattr(place, name).clone())
        self.scene_transform.copy_(place.scene_transform)

    def source(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
        """Points of our world in the source's coordinates."""
        return x @ self.to_source[:, :3].T + self.to_source[:, 3]

    def source_directions(self, d: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
        """Unit directions of our world in the source's coordinates."""
        return d @ (self.to_source[:, :3] / self.source_units()).T

    def source_units(self) -> Float[Tensor, ""]:
        """Units of the source in one of ours: what densities of the source are multiplied by."""
        return torch.linalg.vector_norm(self.to_source[0, :3])

    def set_source_scale(self, scale: float) -> None:
        """Say that the source's units are those of the photographs' world times `scale`.

        That is for checkpoints that do not say it; the origins of both worlds stay together.
        """
        to_source = torch.cat([self.to_source, self.to_source.new_tensor([[0, 0, 0, 1]])]).double()
        from_photographs = to_source @ self.scene_transform
        from_photographs[:3, :3] *= scale / torch.linalg.vector_norm(from_photographs[:3, 0])
        self.scene_transform.copy_(torch.linalg.inv(to_source) @ from_photographs)

    def in_cube(self, source: Float[Tensor, "P 3"]) -> Float[Tensor, "P 3"]:
        """Points of the source as shares of the cube, from 0 to 1."""
        lowest, highest = self.cube
        return (source - lowest) / (highest - lowest)

    def in_world(self, source: Float[Tensor, "P 3"], raw: Float[Tensor, " P"]) -> Float[Tensor, " P"]:
        """The logarithm of the density per world unit, of one per unit of the source."""
        inside = ((source >= self.drawn[0]) & (source <= self.drawn[1])).all(1)
        return torch.where(inside, raw + self.source_units().log(), EMPTY)
