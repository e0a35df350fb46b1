"""The renderer as a matrix: products, adjoints, sums, and the mean over patches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.camera import turntable
from distill3d.lift.operator import Operator, Pooled, col_sum, operator_of, pooled, row_sum
from distill3d.pictures import shoot
from distill3d.representations.voxels import Voxels
from distill3d.sh import rgb_from_degree_0
from tests.lift.small import Gaussians, Surfels, cameras, dense, normal, scene


@pytest.fixture(params=[(Gaussians, 1), (Gaussians, 4), (Surfels, 1), (Surfels, 4)], ids=str)
def operator(request: pytest.FixtureRequest) -> Operator:
    kind, patch = request.param
    return operator_of(scene(kind), cameras(), patch=patch)


@pytest.mark.parametrize("channels", [1, 7, 40])
def test_both_products_are_adjoint(operator: Operator, channels: int) -> None:
    """<W x, y> = <x, Wᵀ y>."""
    views, height, width, count = operator.shape
    x, y = normal(count, channels), normal(views, height, width, channels, seed=1)
    drawn, lifted = operator.matvec(x), operator.rmatvec(y)
    assert (drawn * y).sum().item() == pytest.approx((x * lifted).sum().item(), rel=1e-4, abs=1e-3)
    assert drawn.norm() > 1 and lifted.norm() > 1


def test_products_are_linear_and_columns_do_not_mix(operator: Operator) -> None:
    a, b = normal(operator.shape[3], 3), normal(operator.shape[3], 3, seed=1)
    both = operator.matvec(torch.cat([2 * a - b, b], 1))
    assert_close(both[..., :3], 2 * operator.matvec(a) - operator.matvec(b), atol=1e-5, rtol=1e-4)
    assert_close(both[..., 3:], operator.matvec(b), atol=1e-6, rtol=1e-5)


def test_sums_are_those_of_the_matrix_which_is_not_negative(operator: Operator) -> None:
    matrix = dense(operator)
    assert (matrix >= 0).all() and (matrix.sum(1) <= 1 + 1e-5).all()
    assert_close(row_sum(operator).flatten(), matrix.sum(1), atol=1e-5, rtol=1e-4)
    assert_close(col_sum(operator)[:, 0], matrix.sum(0), atol=1e-4, rtol=1e-4)


def test_rows_of_some_views_are_those_rows(operator: Operator) -> None:
    x = normal(operator.shape[3], 2)
    assert_close(operator[1:3].matvec(x), operator.matvec(x)[1:3])
    y = normal(*operator.shape[:3], 2)
    parts = [operator[i : i + 1].rmatvec(y[i : i + 1]) for i in range(len(y))]
    assert_close(torch.stack(parts).sum(0), operator.rmatvec(y), atol=1e-5, rtol=1e-4)


def test_patches_are_means_over_pixels() -> None:
    inner = operator_of(scene(), cameras())
    x = normal(inner.shape[3], 3)
    blocks = inner.matvec(x).reshape(5, 4, 4, 6, 4, 3).mean((2, 4))
    assert_close(Pooled(inner, 4).matvec(x), blocks)
    assert_close(pooled(inner.matvec(x), 4), blocks)


@pytest.mark.parametrize("kind", [Gaussians, Surfels])
def test_colours_as_features_are_the_scenes_picture(kind: type) -> None:
    made = scene(kind)
    with torch.no_grad():
        made.sh.copy_(normal(*made.sh.shape))
    around = turntable(2, width=20, height=20)
    colours = rgb_from_degree_0(made.sh.detach()[:, 0]).clamp_min(0)
    assert_close(operator_of(made, around).matvec(colours), shoot(made, around).rgb, atol=1e-5, rtol=0)


def test_antialiased_gaussians_are_drawn_and_lifted_so() -> None:
    def with_small_ones(antialiased: bool) -> Tensor:
        made = scene()
        with torch.no_grad():
            made.log_scales.fill_(-6.0)
        made.antialiased.fill_(antialiased)
        operator = operator_of(made, cameras())
        assert_close(col_sum(operator)[:, 0], dense(operator).sum(0), atol=1e-4, rtol=1e-4)
        return row_sum(operator).sum()

    assert with_small_ones(True) < 0.5 * with_small_ones(False)


def test_what_is_not_made_of_primitives_is_refused() -> None:
    with pytest.raises(TypeError, match="given a Voxels, expected Gaussians or surfels"):
        operator_of(Voxels.start(), cameras())
    with pytest.raises(ValueError, match="patches of 5 pixels in pictures of 24 x 16"):
        operator_of(scene(), cameras(), patch=5)
