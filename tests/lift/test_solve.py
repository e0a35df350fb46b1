"""Averages and least squares: closed forms, the matrix that they solve, and what changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.extractor import FeatureMap
from distill3d.lift.operator import Operator, operator_of, row_sum
from distill3d.lift.solve import Evidence, Refinement, disagreement, normal_of
from tests.lift.small import Gaussians, Surfels, cameras, dense, normal, scene, shown

LAMBDA = 0.3


def heard(operator: Operator, maps: Sequence[FeatureMap]) -> Evidence:
    evidence = Evidence.none(operator, maps[0].vectors.shape[-1])
    for view, said in enumerate(maps):
        evidence.add(operator[view : view + 1], said)
    return evidence


def refined(operator: Operator, evidence: Evidence, steps: int, damping: float = LAMBDA) -> Refinement:
    apply = normal_of(operator, evidence.ratios)
    state = Refinement.begin(apply, evidence)
    for _ in range(steps):
        state.step(apply, evidence.mass, damping)
    return state


def random_maps(operator: Operator, channels: int = 3) -> list[FeatureMap]:
    """Of any vectors, each believed more or less."""
    views, height, width, _ = operator.shape
    vectors = normal(views, height, width, channels)
    trust = torch.rand(views, height, width, 1, generator=torch.Generator().manual_seed(1))
    return [FeatureMap(y, c) for y, c in zip(vectors, trust, strict=True)]


def residual(operator: Operator, features: Tensor, maps: Sequence[FeatureMap]) -> float:
    """By its definition."""
    alpha = row_sum(operator)
    c, y = (torch.stack([getattr(said, name) for said in maps]) for name in ("believed", "vectors"))
    counted = c * alpha * (alpha > 1e-6)
    error = (y - operator.matvec(features) / alpha.clamp_min(1e-6)).square().sum(-1, keepdim=True)
    return float((counted * error).sum() / counted.sum())


@pytest.fixture(params=[(Gaussians, 1), (Gaussians, 4), (Surfels, 1)], ids=str)
def operator(request: pytest.FixtureRequest) -> Operator:
    kind, patch = request.param
    return operator_of(scene(kind), cameras(), patch=patch)


def test_what_is_the_same_everywhere_is_lifted_as_itself(operator: Operator) -> None:
    """However faint the primitives are, and however little the maps are believed."""
    same = torch.tensor([0.2, -3.0, 0.0])
    maps = [FeatureMap(same.expand_as(said.vectors), said.believed) for said in random_maps(operator)]
    evidence = heard(operator, maps)
    seen = evidence.mass[:, 0] > 1e-3
    assert seen.sum() > 10
    assert_close(evidence.average()[seen], same.expand(int(seen.sum()), 3), atol=1e-4, rtol=1e-4)
    assert refined(operator, evidence, 0).left.abs().max() < 1e-3


def test_the_average_is_that_of_the_matrix(operator: Operator) -> None:
    maps = random_maps(operator)
    c, y = (
        torch.cat([getattr(said, name).flatten(0, 1) for said in maps]) for name in ("believed", "vectors")
    )
    matrix = dense(operator)
    evidence = heard(operator, maps)
    assert_close(evidence.sums, matrix.T @ (c * y), atol=1e-4, rtol=1e-3)
    assert_close(evidence.mass, matrix.T @ c, atol=1e-4, rtol=1e-3)


def test_averaging_what_is_shown_is_a_random_walk(operator: Operator) -> None:
    """S is stochastic: lifted features stay between the least and the greatest of those that are shown."""
    features = normal(operator.shape[3], 2)
    lifted = heard(operator, shown(operator, features)).average()
    assert (lifted <= features.amax(0) + 1e-4).all() and (lifted >= features.amin(0) - 1e-4).all()
    assert lifted.var(0).max() < features.var(0).min()


def test_exact_features_come_back_where_pictures_tell_them_apart() -> None:
    operator = operator_of(scene(count=12), cameras(8, width=32, height=32))
    features = normal(12, 4)
    evidence = heard(operator, shown(operator, features))
    average = (evidence.average() - features).norm() / features.norm()
    found = refined(operator, evidence, 24, damping=1e-6).features
    assert average > 0.05
    assert (found - features).norm() / features.norm() < 1e-2


def test_many_steps_solve_the_damped_equations(operator: Operator) -> None:
    maps = random_maps(operator)
    evidence = heard(operator, maps)
    found = refined(operator, evidence, 25).features
    matrix, m = dense(operator).double(), evidence.mass.double()
    normal_matrix = matrix.T @ (evidence.ratios.flatten()[:, None] * matrix)
    average = evidence.average().double()
    seen = m[:, 0] > 1e-3
    left = evidence.sums.double() - normal_matrix @ average
    system = normal_matrix + LAMBDA * torch.diag(m[:, 0])
    change = torch.linalg.solve(system[seen][:, seen], left[seen])
    assert_close(found[seen].double(), average[seen] + change, atol=2e-3, rtol=1e-3)


def test_every_step_lowers_the_residual_which_is_what_it_says(operator: Operator) -> None:
    maps = random_maps(operator)
    evidence, found = heard(operator, maps), []
    apply = normal_of(operator, evidence.ratios)
    state = Refinement.begin(apply, evidence)
    for _ in range(5):
        found.append(state.residual(evidence, LAMBDA))
        assert found[-1] == pytest.approx(residual(operator, state.features, maps), rel=1e-3)
        state.step(apply, evidence.mass, LAMBDA)
    assert all(later < earlier for earlier, later in pairwise(found))


def test_channels_are_solved_each_by_itself(operator: Operator) -> None:
    """What is linear before lifting is linear after it: a projection of maps is that of features."""
    maps = random_maps(operator, channels=5)
    alone = [FeatureMap(said.vectors[..., 1:2], said.believed) for said in maps]
    together = refined(operator, heard(operator, maps), 4).features
    apart = refined(operator, heard(operator, alone), 4).features
    assert_close(together[:, 1:2], apart, atol=1e-4, rtol=1e-3)


def test_the_order_of_views_and_saying_all_twice_change_nothing(operator: Operator) -> None:
    maps = random_maps(operator)
    forwards = heard(operator, maps)
    order = [3, 0, 4, 1, 2]
    mixed = Evidence.none(operator, 3)
    for view in (*order, *order):
        mixed.add(operator[view : view + 1], maps[view])
    assert_close(mixed.average(), forwards.average(), atol=1e-4, rtol=1e-3)
    assert_close(mixed.mass, 2 * forwards.mass, atol=1e-3, rtol=1e-3)


def test_what_is_not_believed_or_not_seen_says_nothing() -> None:
    operator = operator_of(scene(), cameras())
    maps = random_maps(operator)
    for said in maps:
        said.vectors[:8] = 1e6
        said.believed[:8] = 0
    assert heard(operator, maps).average().abs().max() < 10
    unseen = operator_of(scene(opacity=1e-3), cameras())
    evidence = heard(unseen, random_maps(unseen))
    assert not evidence.average().any() and evidence.weight == 0
    assert not refined(unseen, evidence, 3).features.any()


def test_a_picture_disagrees_by_its_own_residual() -> None:
    operator = operator_of(scene(), cameras())
    maps, features = random_maps(operator), normal(operator.shape[3], 3)
    assert disagreement(operator[2:3], features, maps[2]) == pytest.approx(
        residual(operator[2:3], features, maps[2:3]), rel=1e-4
    )
    agreeing = shown(operator, features)
    assert disagreement(operator[2:3], features, agreeing[2]) < 1e-6
