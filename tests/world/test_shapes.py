"""Solids: the surface and the signed distance are two descriptions of one thing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from distill3d.world import outlines
from distill3d.world.shapes import (
    Arc,
    Box,
    Capsule,
    Ellipsoid,
    Extrusion,
    Lathe,
    Torus,
    cylinder,
    frustum,
    limb,
    rod,
    sphere,
)
from distill3d.world.solid import Shape, Stretched
from distill3d.world.surfaces import ear_clipped, signed_volume

L_SHAPE = outlines.outline((0, 0), (0.8, 0), (0.8, 0.3), (0.3, 0.3), (0.3, 0.9), (0, 0.9))
CUP = outlines.outline((0, 0), (0.5, 0), (0.5, 0.8), (0.4, 0.8), (0.4, 0.1), (0, 0.1))
SHAPES: dict[str, Shape] = {
    "box": Box((0.6, 0.9, 1.2)),
    "rounded box": Box((0.6, 0.9, 1.2), 0.15),
    "sphere": sphere(0.7),
    "ellipsoid": Ellipsoid((0.3, 0.5, 0.9)),
    "flat ellipsoid": Ellipsoid((0.8, 0.7, 0.05)),
    "capsule": Capsule(0.6, 0.4, 0.2),
    "torus": Torus(0.6, 0.2),
    "short arc": Arc(0.6, 0.15, 50),
    "long arc": Arc(0.6, 0.15, 140),
    "cylinder": cylinder(0.4, 0.9),
    "cone": frustum(0.5, 0.0, 0.9),
    "cup": Lathe(CUP),
    "ring": Lathe(outlines.outline((0.5, 0), (0.7, 0), (0.6, 0.4))),
    "L": Extrusion(L_SHAPE, 0.5),
    "star": Extrusion(outlines.star(5, 0.8, 0.3), 0.3),
    "heart": Extrusion(outlines.heart(0.7), 0.3),
    "placed": Box((0.5, 0.3, 0.2), 0.05)
    .turned(x_deg=30, y_deg=-50, z_deg=110)
    .at(0.2, 0.1, -0.3)
    .scaled(1.4),
    "stretched": Stretched(limb((0, 0, -0.3), (0.2, 0.3, 0.4), 0.2, 0.1), (0.8, 1.0, 1.3)),
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def cloud(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3 - 1.5


@every_shape
def test_a_surface_is_watertight_and_looks_outwards(shape: Shape) -> None:
    surface = shape.surface(16)
    edges = np.concatenate([surface.faces[:, [i, (i + 1) % 3]] for i in range(3)])
    assert len(np.unique(edges, axis=0)) == len(edges), "an edge is used twice in the same direction"
    assert {tuple(edge) for edge in edges} == {tuple(edge[::-1]) for edge in edges}
    assert signed_volume(surface) > 0


@every_shape
def test_the_vertices_lie_where_the_distance_is_zero(shape: Shape) -> None:
    distance = shape.signed_distance(torch.from_numpy(shape.surface(20).vertices))
    assert_allclose(distance, 0, atol=1e-6)


@every_shape
def test_finer_surfaces_come_closer_to_the_solid(shape: Shape) -> None:
    def error(segments: int) -> float:
        surface = shape.surface(segments)
        middles = torch.from_numpy(surface.vertices[surface.faces].mean(1))
        return float(shape.signed_distance(middles).abs().max())

    assert error(96) < 0.006
    assert error(96) < 0.5 * error(24) or error(96) < 1e-6


@every_shape
def test_the_volume_inside_is_the_volume_of_the_mesh(shape: Shape) -> None:
    points = cloud(60_000)
    inside = (shape.signed_distance(points) < 0).double().mean() * 27
    sampling_error = 27 * math.sqrt(max(inside / 27, 1e-4) / len(points))
    assert abs(inside - signed_volume(shape.surface(96))) < 4 * sampling_error + 0.004


@every_shape
def test_the_distance_changes_no_faster_than_the_way(shape: Shape) -> None:
    near = cloud(4000)
    far = near + 0.1 * torch.randn(near.shape, generator=torch.Generator().manual_seed(1), dtype=near.dtype)
    change = (shape.signed_distance(near) - shape.signed_distance(far)).abs()
    assert (change <= (near - far).norm(dim=-1) * (1 + 1e-6) + 1e-6).all()


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "stretched"])
def test_outside_the_gradient_has_length_one(name: str) -> None:
    points = cloud(3000).requires_grad_()
    distance = SHAPES[name].signed_distance(points)
    (gradient,) = torch.autograd.grad(distance.sum(), points)
    length = gradient.norm(dim=-1)[distance > 0.02]
    assert_allclose(length.detach(), 1, atol=1e-4)


def test_distances_of_known_points() -> None:
    points = torch.tensor([[2.0, 0, 0], [0, 0, 0], [0, 0, 1.5]])
    assert_allclose(sphere(0.5).signed_distance(points), [1.5, -0.5, 1.0], atol=1e-6)
    assert_allclose(Ellipsoid((1.0, 0.5, 0.25)).signed_distance(points), [1.0, -0.25, 1.25], atol=1e-5)
    assert_allclose(
        Torus(1.0, 0.25).signed_distance(points), [0.75, 0.75, math.hypot(1, 1.5) - 0.25], atol=1e-6
    )
    assert_allclose(Box((1.0, 1.0, 2.0)).signed_distance(points), [1.5, -0.5, 0.5], atol=1e-6)


def test_a_rod_and_a_limb_reach_from_end_to_end() -> None:
    start, end = (0.2, -0.1, 0.3), (-0.5, 0.6, 0.1)
    ends = torch.tensor([start, end])
    assert_allclose(rod(start, end, 0.1).signed_distance(ends), 0, atol=1e-6)
    assert_allclose(limb(start, end, 0.1, 0.05).signed_distance(ends), [-0.1, -0.05], atol=1e-6)


def test_facing_front_shows_a_drawing_as_it_was_drawn() -> None:
    corner = Extrusion(outlines.outline((0.9, 0.9), (1, 0.9), (1, 1), (0.9, 1)), 0.1).facing_front()
    assert_allclose(corner.surface().vertices.mean(0), [0, 0.95, 0.95], atol=1e-12)


def test_a_capsule_that_is_only_one_ball_is_refused() -> None:
    with pytest.raises(ValueError, match="swallows the other"):
        Capsule(0.1, 0.5, 0.1).surface()


def test_a_polygon_of_n_corners_is_cut_into_n_minus_2_triangles_of_its_area() -> None:
    polygon = np.array(outlines.star(7, 1.0, 0.4))
    triangles = polygon[ear_clipped(polygon)]
    (ax, ay), (bx, by) = (triangles[:, 1] - triangles[:, 0]).T, (triangles[:, 2] - triangles[:, 0]).T
    assert len(triangles) == 12
    assert_allclose((ax * by - ay * bx).sum() / 2, 7 * math.sin(math.pi / 7) * 1.0 * 0.4, rtol=1e-9)


def test_an_outline_that_crosses_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="crosses itself"):
        ear_clipped(np.array([(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]))
