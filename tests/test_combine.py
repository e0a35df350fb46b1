"""Laws of putting directions together, and of what is done to guidance."""

from __future__ import annotations

import math

import pytest
import torch

from distill3d.combine import clipped, dot, minimum_norm, normalised, perpendicular, robust
from distill3d.guidance import rescaled, view_weights
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.prior import Prior, clean_from_noise

GENERATOR = torch.Generator().manual_seed(0)
A, C = (torch.randn(64, 5, 2, generator=GENERATOR) for _ in range(2))


def test_what_is_perpendicular_has_no_part_along_and_the_rest_is_parallel() -> None:
    left = perpendicular(A, C)
    assert dot(left, C).abs().max() < 1e-4
    torch.testing.assert_close(perpendicular(A - left, C), torch.zeros_like(A), atol=1e-5, rtol=0.0)
    assert torch.equal(perpendicular(A, 0 * A), A)


def test_the_minimum_norm_is_the_shortest_of_all_mixtures_and_works_against_neither() -> None:
    shortest = minimum_norm(A, C)
    size = dot(shortest, shortest)
    for kappa in torch.linspace(0, 1, 21).tolist():
        mixture = kappa * A + (1 - kappa) * C
        assert (dot(mixture, mixture) >= size - 1e-4).all()
    assert (dot(shortest, A) >= size - 1e-4).all() and (dot(shortest, C) >= size - 1e-4).all()
    torch.testing.assert_close(minimum_norm(A, A), A)
    torch.testing.assert_close(minimum_norm(A, 3 * A), A)


def test_the_robust_direction_is_the_derivative_of_its_distance_and_never_longer_than_1() -> None:
    y = A.double().requires_grad_()
    (derivative,) = torch.autograd.grad(((dot(y, y) + 0.5**2).sqrt() - 0.5).sum(), y)
    torch.testing.assert_close(robust(y, 0.5), derivative)
    assert (dot(robust(A * 1e3, 0.5), robust(A * 1e3, 0.5)) <= 1 + 1e-5).all()


def test_limits_keep_what_is_not_a_number() -> None:
    bad = torch.tensor([[1.0, torch.nan], [5.0, -5.0]])
    assert torch.equal(clipped(bad, 2.0)[1], torch.tensor([2.0, -2.0])) and clipped(bad, 2.0)[0, 1].isnan()
    assert normalised(bad)[0].isnan().any()
    torch.testing.assert_close(normalised(A).flatten(1).square().mean(-1), torch.ones(64))
    assert torch.equal(normalised(0 * A), 0 * A)


def test_a_view_is_no_negative_of_itself_and_the_others_are() -> None:
    """At the front only "side" is one, at the side only "front", behind both; from above none."""
    azimuths_rad = torch.tensor([0.0, math.pi / 2, -math.pi / 2, math.pi, 0.0])
    elevations_rad = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.4])
    front, side = view_weights(azimuths_rad, elevations_rad)
    assert front[0].abs() < 1e-3 and side[0] < -1
    assert (front[1:3] < -1).all() and (side[1:3].abs() < 2e-3).all()
    assert front[3] < -1 and side[3] < -0.3
    assert front[4] == 0 and side[4] == 0
    torch.testing.assert_close(
        view_weights(azimuths_rad, 0 * azimuths_rad), view_weights(-azimuths_rad, 0 * azimuths_rad)
    )


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_rescaled_guidance_has_the_contrast_of_the_prompt_alone_by_its_share(share: float) -> None:
    prior, moment = Prior(), Moment(1, 1, torch.Generator().manual_seed(0))
    p = perturb(torch.randn(3, 8, 8, 3, generator=GENERATOR), prior, torch.full((3,), 0.4), moment)
    told, bold = (k * torch.randn(p.x_t.shape, generator=GENERATOR) for k in (0.3, 2.0))
    after = rescaled(bold, told, p, share)
    contrast = [clean_from_noise(n, p.x_t, p.alpha, p.sigma).flatten(1).std(-1) for n in (told, bold, after)]
    torch.testing.assert_close(contrast[2], share * contrast[0] + (1 - share) * contrast[1])
