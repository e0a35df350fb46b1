"""Shape: the contract of the solids that the world is made of, and their places. Kinds are in shapes.py.

A solid has two faces that agree: a watertight triangle surface and a signed distance, negative inside.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from distill3d.world.outlines import Number
from distill3d.world.surfaces import Surface

Vector = Sequence[Number]


class Shape(ABC):
    """A solid in its own coordinates; `at`, `turned` and `scaled` give it a place."""

    @abstractmethod
    def surface(self, segments: int = 24) -> Surface:
        """Watertight triangles, `segments` steps around a full circle; the vertices lie on the solid."""

    @abstractmethod
    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        """Distance to the surface, negative inside."""

    def at(self, x: Number = 0.0, y: Number = 0.0, z: Number = 0.0) -> Placed:
        """The solid moved by (x, y, z)."""
        placed = _placed(self)
        return Placed(placed.shape, placed.rotation, placed.translation + np.array([x, y, z]), placed.scale)

    def turned(self, *, x_deg: Number = 0.0, y_deg: Number = 0.0, z_deg: Number = 0.0) -> Placed:
        """The solid turned about the world's axes: first x, then y, then z, in degrees."""
        return self._rotated(_turn(2, z_deg) @ _turn(1, y_deg) @ _turn(0, x_deg))

    def facing_front(self) -> Placed:
        """What was drawn in x, y now looks along +x: drawn x is world y, drawn y is world z."""
        return self._rotated(np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]))

    def scaled(self, factor: Number) -> Placed:
        """The solid grown about the origin."""
        placed = _placed(self)
        return Placed(placed.shape, placed.rotation, placed.translation * factor, placed.scale * factor)

    def along(self, start: Vector, end: Vector) -> Placed:
        """The solid with its origin at `start` and its z axis pointing to `end`."""
        return self._rotated(_z_towards(np.subtract(end, start))).at(*start)

    def _rotated(self, rotation: np.ndarray) -> Placed:
        placed = _placed(self)
        return Placed(placed.shape, rotation @ placed.rotation, rotation @ placed.translation, placed.scale)


@dataclass(frozen=True, eq=False)
class Placed(Shape):
    """A solid x moved to scale · rotation · x + translation."""

    shape: Shape
    rotation: np.ndarray
    translation: np.ndarray
    scale: Number

    def surface(self, segments: int = 24) -> Surface:
        vertices, faces = self.shape.surface(segments)
        return Surface(self.scale * vertices @ self.rotation.T + self.translation, faces)

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        local = (points - points.new_tensor(self.translation)) @ points.new_tensor(self.rotation)
        return self.scale * self.shape.signed_distance(local / self.scale)


@dataclass(frozen=True)
class Stretched(Shape):
    """A solid stretched along the axes.

    Its distance is a lower bound, right to max(factors) / min(factors), with the right sign and zero set, and
    still changes no faster than the way.
    """

    shape: Shape
    factors: tuple[Number, Number, Number]

    def surface(self, segments: int = 24) -> Surface:
        vertices, faces = self.shape.surface(segments)
        return Surface(vertices * np.array(self.factors), faces)

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        return min(self.factors) * self.shape.signed_distance(points / points.new_tensor(self.factors))


def _placed(shape: Shape) -> Placed:
    return shape if isinstance(shape, Placed) else Placed(shape, np.eye(3), np.zeros(3), 1.0)


def _turn(axis: int, degrees: Number) -> np.ndarray:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rotation = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rotation[i, i] = rotation[j, j] = cosine
    rotation[j, i], rotation[i, j] = sine, -sine
    return rotation


def _z_towards(direction: np.ndarray) -> np.ndarray:
    z = direction / np.linalg.norm(direction)
    aside = np.eye(3)[np.argmin(np.abs(z))]
    x = np.cross(aside, z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], 1)
