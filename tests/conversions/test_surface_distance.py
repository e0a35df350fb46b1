"""Distances between surfaces, where they are known."""

from __future__ import annotations

import pytest
import torch
import trimesh

from distill3d.conversions.surface_distance import surface_distance
from distill3d.representations.mesh import Mesh


def scene(shape: trimesh.Trimesh) -> Mesh:
    vertices = torch.tensor(shape.vertices, dtype=torch.float32)
    return Mesh(vertices, torch.tensor(shape.faces), torch.zeros_like(vertices))


def ball(radius: float, subdivisions: int = 4) -> Mesh:
    return scene(trimesh.creation.icosphere(subdivisions, radius))


def test_nested_balls_are_the_difference_of_their_radii_apart() -> None:
    found = surface_distance(ball(0.5), ball(0.7))
    assert found.chamfer == pytest.approx(0.2, rel=0.01)
    assert found.hausdorff == pytest.approx(0.2, rel=0.01)
    assert found.normal_error_deg < 3
    assert surface_distance(ball(0.7), ball(0.5)) == found


def test_the_same_surface_in_other_triangles_is_no_distance_away() -> None:
    box = trimesh.creation.box((1.0, 0.6, 0.4))
    found = surface_distance(scene(box), scene(box.subdivide_to_size(0.07)))
    assert found.chamfer < 1e-4
    assert found.hausdorff < 0.01


def test_shifting_a_sheet_along_its_normal_is_seen_and_turning_it_is_too() -> None:
    sheet = trimesh.Trimesh([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    shifted = sheet.copy().apply_translation([0, 0, 0.3])
    assert surface_distance(scene(sheet), scene(shifted)).chamfer == pytest.approx(0.3, rel=1e-4)
    turned = sheet.copy().apply_transform(trimesh.transformations.rotation_matrix(0.2, [1, 0, 0]))
    found = surface_distance(scene(sheet), scene(turned))
    assert found.normal_error_deg == pytest.approx(11.46, abs=0.05)


def test_what_one_lacks_shows_in_the_largest_distance() -> None:
    both = trimesh.util.concatenate(
        [
            trimesh.creation.icosphere(3, 0.3),
            trimesh.creation.icosphere(3, 0.3).apply_translation([2.0, 0, 0]),
        ]
    )
    found = surface_distance(ball(0.3, 3), scene(both))
    assert found.hausdorff == pytest.approx(2.0, rel=0.01)
    assert 0.4 < found.chamfer < 0.6


def test_a_mesh_without_area_is_a_sentence() -> None:
    flat = Mesh(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]), torch.zeros(3, 3))
    with pytest.raises(ValueError, match=r"give one whose faces have an area$"):
        surface_distance(ball(0.5, 1), flat)
