"""Rotations obey the laws of a group, whichever way they are written."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from distill3d.rotation import (
    change_of_frame,
    conjugate,
    matrix_from_wxyz,
    multiply,
    rotate,
    wxyz_between,
    wxyz_from_axis_angle,
    wxyz_from_matrix,
)


def random_wxyz(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(
        torch.randn(count, 4, generator=generator, dtype=torch.float64), dim=-1
    )


def test_matrices_are_rotations():
    matrices = matrix_from_wxyz(random_wxyz(50))
    assert_close(matrices @ matrices.mT, torch.eye(3, dtype=torch.float64).expand(50, 3, 3))
    assert_close(torch.linalg.det(matrices), torch.ones(50, dtype=torch.float64))


def test_products_of_quaternions_are_products_of_matrices():
    first, second = random_wxyz(50), random_wxyz(50, 1)
    assert_close(
        matrix_from_wxyz(multiply(first, second)), matrix_from_wxyz(first) @ matrix_from_wxyz(second)
    )


def test_a_rotation_and_its_conjugate_undo_each_other():
    wxyz = random_wxyz(50)
    identity = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).expand(50, 4)
    assert_close(multiply(wxyz, conjugate(wxyz)), identity)


def test_products_associate():
    a, b, c = (random_wxyz(50, seed) for seed in range(3))
    assert_close(multiply(multiply(a, b), c), multiply(a, multiply(b, c)))


def test_the_length_of_a_quaternion_does_not_matter():
    wxyz = random_wxyz(20)
    assert_close(matrix_from_wxyz(3 * wxyz), matrix_from_wxyz(wxyz))


def test_matrix_to_quaternion_and_back():
    wxyz = random_wxyz(200)
    matrices = matrix_from_wxyz(wxyz)
    back = wxyz_from_matrix(matrices)
    assert (back[:, 0] >= 0).all()
    assert_close(back, torch.where(wxyz[:, :1] < 0, -wxyz, wxyz))


@pytest.mark.parametrize("axis", range(3))
def test_half_turns_survive_the_way_there_and_back(axis):
    diagonal = -torch.ones(3)
    diagonal[axis] = 1
    assert_close(matrix_from_wxyz(wxyz_from_matrix(torch.diag(diagonal))), torch.diag(diagonal))


def test_a_quarter_turn_about_z_takes_x_to_y():
    wxyz = wxyz_from_axis_angle(torch.tensor([0.0, 0.0, 2.0]), math.pi / 2)
    assert_close(wxyz, torch.tensor([math.sqrt(0.5), 0, 0, math.sqrt(0.5)]))
    assert_close(
        rotate(wxyz, torch.tensor([1.0, 0.0, 0.0])), torch.tensor([0.0, 1.0, 0.0]), rtol=0, atol=1e-6
    )


def test_turns_about_one_axis_add_up():
    axis = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64)
    twice = multiply(wxyz_from_axis_angle(axis, 0.4), wxyz_from_axis_angle(axis, 0.7))
    assert_close(twice, wxyz_from_axis_angle(axis, 1.1))


def test_between_takes_start_to_end_by_the_shortest_way():
    generator = torch.Generator().manual_seed(2)
    start, end = torch.randn(2, 100, 3, generator=generator, dtype=torch.float64)
    wxyz = wxyz_between(start, end)
    assert_close(
        torch.nn.functional.normalize(rotate(wxyz, start), dim=-1), torch.nn.functional.normalize(end, dim=-1)
    )
    angle = 2 * torch.acos(wxyz[:, 0])
    assert_close(angle, torch.acos(torch.nn.functional.cosine_similarity(start, end, dim=-1)))


@pytest.mark.parametrize("direction", [[1.0, 0, 0], [0, -1.0, 0], [0.6, 0.0, 0.8], [0.57, 0.58, -0.58]])
def test_between_opposite_directions_is_a_half_turn(direction):
    start = torch.tensor(direction)
    wxyz = wxyz_between(start, -start)
    assert_close(rotate(wxyz, start), -start, rtol=0, atol=1e-5)
    assert_close(wxyz.norm(), torch.tensor(1.0))


def test_change_of_frame_turns_one_frame_into_the_other():
    start, end = matrix_from_wxyz(random_wxyz(10)), matrix_from_wxyz(random_wxyz(10, 1))
    assert_close(change_of_frame(start, end) @ start, end)
