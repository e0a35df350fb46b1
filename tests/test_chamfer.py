"""Chamfer distance and IoU: closed forms for spheres, symmetry, a surface with itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import trimesh

from distill3d.chamfer import chamfer, solid_likeness
from tests.traced import ball, blank, by_octant, traced


def sphere(radius: float, shift: float = 0.0) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(3, radius)
    return mesh.apply_translation([shift, 0, 0])


def test_a_surface_is_no_distance_from_itself() -> None:
    assert chamfer(sphere(0.5), sphere(0.5)) < 1e-9


@pytest.mark.parametrize(("r", "s"), [(0.5, 0.6), (0.4, 0.8)])
def test_concentric_spheres_are_as_far_apart_as_their_radii_differ(r: float, s: float) -> None:
    assert chamfer(sphere(r), sphere(s)) == pytest.approx(abs(r - s), rel=0.01)


def test_the_order_of_two_surfaces_does_not_matter() -> None:
    assert chamfer(sphere(0.5), sphere(0.4, 0.2)) == chamfer(sphere(0.4, 0.2), sphere(0.5))


@pytest.mark.parametrize("shift", [0.02, 0.3])
def test_a_shifted_sphere_is_half_the_shift_away(shift: float) -> None:
    """Mean of ||r n + d| - r| over directions n: (d / 2) (1 + d / (3 r) ...), integrated here."""
    r, cosine = 0.5, np.linspace(-1, 1, 2001)
    expected = np.abs(np.sqrt(r * r + shift * shift + 2 * r * shift * cosine) - r).mean()
    assert expected == pytest.approx(shift / 2, rel=0.1)
    assert chamfer(sphere(r), sphere(r, shift)) == pytest.approx(expected, rel=0.02)


def test_scale_scales_the_distance() -> None:
    near, far = (chamfer(sphere(0.2 * k), sphere(0.25 * k)) for k in (1, 3))
    assert far == pytest.approx(3 * near, rel=1e-3)


def test_solids_of_spheres_have_the_iou_and_the_distance_of_spheres() -> None:
    a, b = (traced(ball(r), by_octant) for r in (0.6, 0.5))
    found = solid_likeness(a, b, resolution=40)
    assert found is not None
    assert found.iou == pytest.approx((0.5 / 0.6) ** 3, abs=0.03)
    assert found.chamfer == pytest.approx(0.1, abs=0.006)


def test_solids_of_shifted_spheres_meet_in_a_lens() -> None:
    """Volume of the lens of two spheres of radius r at a distance d: π (4 r + d)(2 r - d)² / 12."""
    r, d = 0.5, 0.2
    found = solid_likeness(
        traced(ball(r), by_octant), traced(ball(r, (0.0, 0.0, d)), by_octant), resolution=40
    )
    lens = math.pi * (4 * r + d) * (2 * r - d) ** 2 / 12
    assert found is not None
    assert found.iou == pytest.approx(lens / (8 / 3 * math.pi * r**3 - lens), abs=0.03)
    assert found.chamfer == pytest.approx(d / 2, abs=0.008)


def test_where_nothing_is_to_be_seen_there_is_no_solid_to_compare() -> None:
    assert solid_likeness(blank, traced(ball(0.5), by_octant), resolution=16) is None
