"""Spherical harmonics are an orthonormal basis, in the order and with the signs of 3D Gaussian Splatting."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y
from torch.testing import assert_close

from distill3d.rotation import matrix_from_wxyz
from distill3d.sh import basis, degree_0_from_rgb, degree_of, radiance, rgb_from_degree_0, rotate


def quadrature() -> tuple[torch.Tensor, torch.Tensor]:
    """Directions [D, 3] and weights [D] that integrate polynomials of degree 15 over the sphere exactly."""
    z, weights = np.polynomial.legendre.leggauss(8)
    azimuths = (np.arange(16) + 0.5) * (2 * math.pi / 16)
    z, azimuths = np.meshgrid(z, azimuths, indexing="ij")
    radius = np.sqrt(1 - z * z)
    directions = np.stack([radius * np.cos(azimuths), radius * np.sin(azimuths), z], -1).reshape(-1, 3)
    return torch.tensor(directions), torch.tensor(np.repeat(weights * (2 * math.pi / 16), 16))


def directions(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.nn.functional.normalize(
        torch.randn(count, 3, generator=generator, dtype=torch.float64), dim=-1
    )


def test_the_basis_is_orthonormal_over_the_sphere():
    towards, weights = quadrature()
    values = basis(towards, 3)
    assert_close(
        values.T @ (weights[:, None] * values), torch.eye(16, dtype=torch.float64), rtol=0, atol=1e-12
    )


def test_each_degree_adds_up_to_a_constant():
    values = basis(directions(20), 3).square()
    for degree in range(4):
        total = values[:, degree**2 : (degree + 1) ** 2].sum(-1)
        assert_close(total, torch.full((20,), (2 * degree + 1) / (4 * math.pi), dtype=torch.float64))


def test_each_degree_is_closed_under_rotation():
    towards, weights = quadrature()
    turned = towards @ matrix_from_wxyz(torch.tensor([0.5, 0.1, -0.7, 0.3], dtype=torch.float64)).T
    mixing = basis(towards, 3).T @ (weights[:, None] * basis(turned, 3))
    for degree in range(4):
        own = slice(degree**2, (degree + 1) ** 2)
        outside = mixing[own].clone()
        outside[:, own] = 0
        assert outside.abs().max() < 1e-12


@pytest.mark.parametrize("degree", range(4))
def test_the_terms_are_the_known_functions(degree):
    """√2 Im, real, √2 Re of the complex harmonics, which carry the same Condon-Shortley phase."""
    towards = directions(10)
    polar = torch.acos(towards[:, 2]).numpy()
    azimuth = torch.atan2(towards[:, 1], towards[:, 0]).numpy()
    values = basis(towards, degree)
    for order in range(-degree, degree + 1):
        whole = sph_harm_y(degree, abs(order), polar, azimuth)
        expected = whole.real if order == 0 else math.sqrt(2) * (whole.imag if order < 0 else whole.real)
        assert_close(values[:, degree * (degree + 1) + order], torch.tensor(expected))


def test_degree_1_points_along_minus_y_z_minus_x():
    linear = math.sqrt(3 / (4 * math.pi))
    assert_close(basis(torch.eye(3), 1)[:, 1:], linear * torch.tensor([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]]))


def test_a_constant_coefficient_shows_its_colour_from_everywhere():
    rgb = torch.rand(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    coefficients = torch.zeros(7, 16, 3, dtype=torch.float64)
    coefficients[:, 0] = degree_0_from_rgb(rgb)
    assert_close(radiance(coefficients, directions(7)), rgb)
    assert_close(rgb_from_degree_0(coefficients[:, 0]), rgb)


def test_radiance_is_never_negative():
    assert radiance(torch.full((5, 1, 3), -9.0), directions(5).float()).max() == 0


@pytest.mark.parametrize("terms", [0, 2, 8, 25])
def test_a_broken_count_of_terms_is_refused(terms):
    with pytest.raises(ValueError, match="expected 1, 4, 9 or 16"):
        degree_of(terms)


def rotations(count: int) -> torch.Tensor:
    """Random rotation matrices [count, 3, 3]."""
    generator = torch.Generator().manual_seed(2)
    return matrix_from_wxyz(torch.randn(count, 4, generator=generator, dtype=torch.float64))


def coefficients(terms: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(terms)
    return torch.randn(6, terms, 3, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_turned_radiance_is_the_radiance_seen_along_the_direction_turned_back(degree, dtype, near):
    before = coefficients((degree + 1) ** 2, dtype)
    towards = directions(40).to(dtype)
    for rotation in rotations(5).to(dtype):
        seen = basis(towards, degree) @ rotate(before, rotation)
        assert_close(seen, basis(towards @ rotation, degree) @ before, rtol=0, atol=near)


def test_turns_of_harmonics_follow_each_other_as_turns_of_space_do():
    first, second = rotations(2)
    before = coefficients(16)
    assert_close(rotate(rotate(before, first), second), rotate(before, second @ first))
    assert_close(rotate(rotate(before, first), first.mT), before)
    assert_close(rotate(before, torch.eye(3, dtype=torch.float64)), before)


def test_turning_keeps_the_size_of_each_degree_and_the_constant():
    before = coefficients(16)
    after = rotate(before, rotations(1)[0])
    assert torch.equal(after[:, 0].float(), before[:, 0].float())
    for degree in range(4):
        own = slice(degree**2, (degree + 1) ** 2)
        assert_close(after[:, own].norm(dim=1), before[:, own].norm(dim=1))
