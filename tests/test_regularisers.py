"""Regularisers by their laws: where they vanish, what leaves them alone, and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import trimesh
from torch import Tensor
from torch.nn.functional import normalize

from distill3d import regularisers
from distill3d.rotation import matrix_from_wxyz


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def turned(vectors: Tensor) -> Tensor:
    rotation = matrix_from_wxyz(normalize(torch.tensor([0.3, -0.5, 0.8, 0.2], dtype=torch.float64), dim=0))
    return vectors @ rotation.T


def derivative(function: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    leaves = [x.clone().requires_grad_() for x in inputs]
    return list(torch.autograd.grad(function(*leaves), leaves, allow_unused=True))


def test_orientation_is_the_squared_cosine_of_what_faces_away() -> None:
    away = torch.tensor([[0.0, 0.0, 1.0]]).double()
    for angle in (0.0, 0.5, 1.2, 2.0, 3.1):
        normal = torch.tensor([[math.sin(angle), 0.0, math.cos(angle)]]).double()
        expected = max(0.0, math.cos(angle)) ** 2
        found = regularisers.orientation(normal, away, torch.tensor([0.3]).double())
        assert found.item() == pytest.approx(expected, abs=1e-6)


def test_orientation_is_the_same_in_a_turned_world_and_leaves_the_weights_alone() -> None:
    normals, directions = (normalize(random(20, 3, seed=s), dim=-1) for s in (1, 2))
    weights = random(20).abs()
    found = regularisers.orientation(normals, directions, weights)
    torch.testing.assert_close(
        regularisers.orientation(turned(normals), turned(directions), 7 * weights), found
    )
    at_normals, _, at_weights = derivative(regularisers.orientation, normals, directions, weights)
    assert at_normals.abs().max() > 0.01 and at_weights is None


def test_sparsity_pulls_towards_nothing_and_lets_go_of_what_is_empty() -> None:
    assert regularisers.sparsity(torch.zeros(4)).item() == pytest.approx(0.1)
    alpha = torch.linspace(0, 1, 50).double()
    (slope,) = derivative(regularisers.sparsity, alpha)
    torch.testing.assert_close(50 * slope, alpha / (alpha**2 + 0.01).sqrt())


def test_opacity_entropy_is_that_of_a_coin() -> None:
    assert regularisers.opacity_entropy(torch.full((3,), 0.5)).item() == pytest.approx(math.log(2))
    alpha = torch.rand(9, generator=torch.Generator().manual_seed(0)).double()
    found = regularisers.opacity_entropy(alpha)
    torch.testing.assert_close(regularisers.opacity_entropy(1 - alpha), found)
    assert 0 < found < math.log(2)
    assert regularisers.opacity_entropy(torch.tensor([0.0, 1.0])).item() < 0.01
    (slope,) = derivative(regularisers.opacity_entropy, torch.tensor([0.0, 0.3, 0.5, 0.7, 1.0]))
    assert slope[1] > 0 > slope[3] and slope[[0, 2, 4]].abs().max() < 1e-6


def test_depth_variance_of_two_sheets_is_half_their_distance_squared() -> None:
    weights = torch.tensor([[0.4, 0.4], [0.1, 0.1]]).double()
    depths = torch.tensor([[2.0, 3.0], [0.0, 9.0]]).double()
    assert regularisers.depth_variance(weights, depths).item() == pytest.approx(0.25)


def test_depth_variance_knows_no_origin_and_grows_with_the_square_of_the_scale() -> None:
    weights, depths = random(6, 5).abs(), random(6, 5, seed=1)
    found = regularisers.depth_variance(weights, depths)
    torch.testing.assert_close(regularisers.depth_variance(weights, 3 * depths + 11), 9 * found)
    one_sheet = torch.zeros(6, 5).double()
    one_sheet[:, 2] = 0.8
    assert regularisers.depth_variance(one_sheet, depths).item() == pytest.approx(0, abs=1e-12)
    assert regularisers.depth_variance(0.01 * weights, depths).item() == 0


def test_normal_smoothness_is_one_less_the_cosine_of_a_bend() -> None:
    """A surface that bends by a degree each pixel across, and not down."""
    angle = torch.arange(8) * math.radians(1)
    row = torch.stack([angle.sin(), torch.zeros(8), angle.cos()], -1).double()
    normals, alpha = row.expand(8, 8, 3), torch.ones(8, 8, 1).double()
    found = regularisers.normal_smoothness(normals, alpha)
    assert found.item() == pytest.approx((1 - math.cos(math.radians(1))) / 2)
    torch.testing.assert_close(regularisers.normal_smoothness(0.3 * turned(normals), alpha), found)


def test_normal_smoothness_looks_at_surfaces_alone() -> None:
    normals, alpha = random(2, 6, 6, 3), torch.zeros(2, 6, 6, 1).double()
    alpha[:, :, :3] = 1
    normals[:, :, :3] = torch.tensor([0.0, 0.0, 1.0])
    assert regularisers.normal_smoothness(normals, alpha).item() == pytest.approx(0, abs=1e-12)
    assert regularisers.normal_smoothness(normals, torch.ones_like(alpha)).item() > 0.1


def test_total_variation_of_a_ramp_is_its_slopes() -> None:
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(7.0), indexing="ij")
    ramp = (0.2 * x - 0.5 * y)[None, ..., None]
    found = regularisers.total_variation(ramp)
    assert found.item() == pytest.approx(0.7)
    torch.testing.assert_close(regularisers.total_variation(-3 * ramp + 1), 3 * found)


def test_the_laplacian_of_an_icosahedron_is_its_closed_form() -> None:
    """The five neighbours of a vertex v on the unit sphere have the mean v / √5."""
    ball = trimesh.creation.icosahedron()
    vertices, faces = torch.tensor(ball.vertices).double(), torch.tensor(ball.faces)
    vertices = normalize(vertices, dim=-1)
    expected = (1 - 1 / math.sqrt(5)) ** 2
    assert regularisers.laplacian(vertices, faces).item() == pytest.approx(expected)
    moved = 2 * turned(vertices) + torch.tensor([1.0, 2.0, 3.0])
    assert regularisers.laplacian(moved, faces).item() == pytest.approx(4 * expected)
    with_stray = torch.cat([vertices, torch.full((1, 3), 9.0).double()])
    assert regularisers.laplacian(with_stray, faces).item() == pytest.approx(expected)


def test_eikonal_vanishes_for_distances_alone() -> None:
    points = random(30, 3).requires_grad_()
    for stretch, expected in ((1.0, 0.0), (3.0, 4.0), (0.5, 0.25)):
        (gradients,) = torch.autograd.grad((stretch * (points.norm(dim=-1) - 1)).sum(), points)
        assert regularisers.eikonal(gradients).item() == pytest.approx(expected, abs=1e-9)
    (slope,) = derivative(regularisers.eikonal, torch.zeros(4, 3).double())
    assert torch.isfinite(slope).all()


def test_mean_scale_is_in_world_units() -> None:
    log_scales = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]).log()
    assert regularisers.mean_scale(log_scales).item() == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (regularisers.sparsity, [random(6).sigmoid()]),
        (regularisers.opacity_entropy, [random(6).sigmoid()]),
        (regularisers.depth_variance, [random(3, 4).abs() + 0.2, random(3, 4, seed=1)]),
        (lambda n: regularisers.normal_smoothness(n, torch.ones(3, 3, 1).double()), [random(3, 3, 3)]),
        (regularisers.total_variation, [random(3, 3, 2)]),
        (lambda v: regularisers.laplacian(v, torch.tensor([[0, 1, 2], [2, 1, 3]])), [random(4, 3)]),
        (regularisers.eikonal, [random(5, 3)]),
        (regularisers.mean_scale, [random(5, 3)]),
    ],
)
def test_derivatives_are_those_of_small_steps(function: Callable[..., Tensor], inputs: list[Tensor]) -> None:
    assert torch.autograd.gradcheck(function, [x.requires_grad_() for x in inputs])
