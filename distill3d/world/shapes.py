"""Kinds of solids. Their distances are exact, and so change no faster than the way.

Formulas for boxes, tori and capsules follow Hart, "Sphere tracing", 1996, and plane geometry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.world.outlines import Number, Outline
from distill3d.world.solid import Placed, Shape, Vector
from distill3d.world.surfaces import Surface, circle, facing_outwards, prism, revolve, rounded_box, stitch


@dataclass(frozen=True)
class Box(Shape):
    """A box around the origin with sides (x, y, z); `rounding` is the radius of its edges."""

    sides: tuple[Number, Number, Number]
    rounding: Number = 0.0

    def surface(self, segments: int = 24) -> Surface:
        return rounded_box(np.array(self.sides) / 2, self._rounding, max(1, segments // 10))

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        beyond = points.abs() - (points.new_tensor(self.sides) / 2 - self._rounding)
        return beyond.clamp_min(0).norm(dim=-1) + beyond.amax(-1).clamp_max(0) - self._rounding

    @property
    def _rounding(self) -> float:
        return min(self.rounding, 0.499 * min(self.sides))


@dataclass(frozen=True)
class Ellipsoid(Shape):
    """An ellipsoid around the origin with half axes (x, y, z)."""

    radii: tuple[Number, Number, Number]

    def surface(self, segments: int = 24) -> Surface:
        angles = np.linspace(-np.pi / 2, np.pi / 2, max(6, segments // 2) + 1)
        profile = np.stack([np.cos(angles), np.sin(angles)], 1)
        profile[[0, -1], 0] = 0
        vertices, faces = revolve(profile, segments)
        return Surface(vertices * np.array(self.radii), faces)

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        """Newton's method on the Lagrange multiplier of the nearest point.

        With s the multiplier above its pole, the nearest point solves |r y / (s + r² - r_min²)| = 1. The
        inverse of that length is concave in s, so every step gives a lower bound of s. Near the plane of the
        shortest axis the steps are short at first; the length without that axis has its pole elsewhere and
        gives a start there.
        Source: Moré and Sorensen, "Computing a trust region step", 1983.
        """
        if len(set(self.radii)) == 1:
            return points.norm(dim=-1) - self.radii[0]
        r = points.new_tensor(self.radii)
        y = points.abs().clamp_min(1e-6 * min(self.radii))
        gap = r**2 - (r**2).min()
        weight = r * y
        s = (weight - gap).amax(-1, keepdim=True)
        for kept in [weight * (gap > 0)] * 4 + [weight] * 12:
            ratio = kept / (s + gap)
            squared = (ratio**2).sum(-1, keepdim=True)
            step = (squared.sqrt() - 1) * squared / (ratio**2 / (s + gap)).sum(-1, keepdim=True)
            s = s + step.clamp_min(0)
        nearest = r**2 * y / (s + gap)
        inside = ((y / r) ** 2).sum(-1) < 1
        distance = (y - nearest).norm(dim=-1)
        return torch.where(inside, -distance, distance)


@dataclass(frozen=True)
class Capsule(Shape):
    """The hull of a ball of `radius` at the origin and one of `end_radius` at (0, 0, length)."""

    length: Number
    radius: Number
    end_radius: Number

    @property
    def _slope(self) -> tuple[float, float]:
        """The normal of the wall, (cosine, sine) above the horizontal."""
        sine = (self.radius - self.end_radius) / self.length
        if abs(sine) >= 1:
            raise ValueError(
                f"a capsule of length {self.length} cannot join radii {self.radius} and {self.end_radius}: "
                "one ball swallows the other; make it longer or the radii more alike"
            )
        return math.sqrt(1 - sine**2), sine

    def surface(self, segments: int = 24) -> Surface:
        wall = math.asin(self._slope[1])
        steps = max(3, segments // 4)
        low, high = np.linspace(-np.pi / 2, wall, steps + 1), np.linspace(wall, np.pi / 2, steps + 1)
        bottom = self.radius * np.stack([np.cos(low), np.sin(low)], 1)
        top = self.end_radius * np.stack([np.cos(high), np.sin(high)], 1) + [0, self.length]
        bottom[0, 0] = top[-1, 0] = 0
        return revolve(np.concatenate([bottom, top]), segments)

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        cosine, sine = self._slope
        radial, z = points[..., :2].norm(dim=-1), points[..., 2]
        height = cosine * z - sine * radial
        bottom = torch.hypot(radial, z) - self.radius
        top = torch.hypot(radial, z - self.length) - self.end_radius
        wall = cosine * radial + sine * z - self.radius
        return torch.where(height < 0, bottom, torch.where(height > cosine * self.length, top, wall))


@dataclass(frozen=True)
class Torus(Shape):
    """A ring around z: a tube of radius `tube` along a circle of radius `radius`."""

    radius: Number
    tube: Number

    def surface(self, segments: int = 24) -> Surface:
        section = circle(max(6, segments // 2)) * self.tube + [self.radius, 0]
        return revolve(section, segments)

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        from_circle = points[..., :2].norm(dim=-1) - self.radius
        return torch.hypot(from_circle, points[..., 2]) - self.tube


@dataclass(frozen=True)
class Arc(Shape):
    """A piece of a torus around z with round ends: `half_angle_deg` to each side of +x."""

    radius: Number
    tube: Number
    half_angle_deg: Number = 90.0

    def surface(self, segments: int = 24) -> Surface:
        around = circle(max(6, segments // 2))
        half = math.radians(self.half_angle_deg)
        steps = max(4, round(segments * half / np.pi))
        cap = np.linspace(np.pi / 2, 0, max(4, segments // 6))
        places = [
            *((-half, -math.sin(a), math.cos(a)) for a in cap[:-1]),
            *((angle, 0.0, 1.0) for angle in np.linspace(-half, half, steps + 1)),
            *((half, math.sin(a), math.cos(a)) for a in cap[-2::-1]),
        ]
        rings = [self._ring(around, *place) for place in places]
        rings[0], rings[-1] = rings[0].mean(0, keepdims=True), rings[-1].mean(0, keepdims=True)
        return stitch(rings, closed=False)

    def _ring(self, around: np.ndarray, angle: Number, ahead: Number, width: Number) -> np.ndarray:
        """The tube's section at `angle`, moved `ahead` tubes along the tangent and `width` tubes wide."""
        outwards = np.array([math.cos(angle), math.sin(angle), 0])
        tangent = np.array([-math.sin(angle), math.cos(angle), 0])
        section = around[:, :1] * outwards + around[:, 1:] * np.array([0, 0, 1.0])
        return self.radius * outwards + self.tube * (ahead * tangent + width * section)

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        x, y, z = points[..., 0], points[..., 1].abs(), points[..., 2]
        half = math.radians(self.half_angle_deg)
        beyond = torch.atan2(y, x) > half
        from_circle = torch.hypot(torch.hypot(x, y) - self.radius, z)
        end = points.new_tensor([self.radius * math.cos(half), self.radius * math.sin(half), 0])
        from_end = (torch.stack([x, y, z], -1) - end).norm(dim=-1)
        return torch.where(beyond, from_end, from_circle) - self.tube


@dataclass(frozen=True)
class Lathe(Shape):
    """A polygon of (radius, z) turned about z; its corners on the axis come first and last, if it has any."""

    profile: Outline

    def surface(self, segments: int = 24) -> Surface:
        return revolve(np.array(self.profile), segments)

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        in_plane = torch.stack([points[..., :2].norm(dim=-1), points[..., 2]], -1)
        return polygon_distance(in_plane, self.profile, open_on_axis=True)


@dataclass(frozen=True)
class Extrusion(Shape):
    """A simple polygon in x, y, `depth` thick along z and centred there."""

    polygon: Outline
    depth: Number

    def surface(self, segments: int = 24) -> Surface:
        corners = np.array(self.polygon)
        x, y = corners.T
        counter_clockwise = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0
        return facing_outwards(prism(corners if counter_clockwise else corners[::-1], self.depth))

    def signed_distance(self, points: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N"]:
        in_plane = polygon_distance(points[..., :2], self.polygon, open_on_axis=False)
        beyond = torch.stack([in_plane, points[..., 2].abs() - self.depth / 2], -1)
        return beyond.clamp_min(0).norm(dim=-1) + beyond.amax(-1).clamp_max(0)


def polygon_distance(
    points: Float[Tensor, "*N 2"], polygon: Outline, *, open_on_axis: bool
) -> Float[Tensor, "*N"]:
    """Signed distance to a simple polygon; with `open_on_axis`, edges along x = 0 are no boundary."""
    start = points.new_tensor(polygon)
    end = start.roll(-1, 0)
    edge = end - start
    offset = points[..., None, :] - start
    share = ((offset * edge).sum(-1) / (edge**2).sum(-1).clamp_min(1e-20)).clamp(0, 1)
    squared = ((offset - share[..., None] * edge) ** 2).sum(-1)
    if open_on_axis:
        squared = torch.where((start[:, 0] <= 0) & (end[:, 0] <= 0), torch.inf, squared)
    x, y = points[..., None, 0], points[..., None, 1]
    spans = (start[:, 1] > y) != (end[:, 1] > y)
    slope = edge[:, 0] / torch.where(edge[:, 1] == 0, 1, edge[:, 1])
    crossings = (spans & (x < start[:, 0] + (y - start[:, 1]) * slope)).sum(-1)
    distance = squared.amin(-1).sqrt()
    return torch.where(crossings % 2 == 1, -distance, distance)


def sphere(radius: Number) -> Ellipsoid:
    return Ellipsoid((radius, radius, radius))


def cylinder(radius: Number, height: Number) -> Lathe:
    """A cylinder from z = 0 to z = height."""
    return frustum(radius, radius, height)


def frustum(radius: Number, end_radius: Number, height: Number) -> Lathe:
    """A truncated cone from z = 0 to z = height; a radius of 0 makes a point."""
    bottom = ((radius, 0.0),) if radius > 0 else ()
    top = ((end_radius, height),) if end_radius > 0 else ()
    return Lathe(((0.0, 0.0), *bottom, *top, (0.0, height)))


def rod(start: Vector, end: Vector, radius: Number, end_radius: Number | None = None) -> Placed:
    """A cylinder (or truncated cone) from one point to another."""
    end_radius = radius if end_radius is None else end_radius
    return frustum(radius, end_radius, math.dist(start, end)).along(start, end)


def limb(start: Vector, end: Vector, radius: Number, end_radius: Number | None = None) -> Placed:
    """A capsule from one point to another, round at both ends."""
    end_radius = radius if end_radius is None else end_radius
    return Capsule(math.dist(start, end), radius, end_radius).along(start, end)
