"""The equation on the first lines of a method's file, written again in numbers, under a prior that is known.

Prompt and null prompt are bells of different widths, so that it matters where the prior is asked, at which
noise level, and in which words.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.moment import Moment
from distill3d.noised import LOWEST
from distill3d.objectives.asd import ASD
from distill3d.objectives.bsd import BSD
from distill3d.objectives.cds import CDS
from distill3d.objectives.csm import CSM
from distill3d.objectives.ism import ISM
from distill3d.objectives.jsd_js import JSDJS
from distill3d.objectives.vsd import VSD
from distill3d.prior import Prior

from .particles import CosineLine, gradient_of, one_scene

X = torch.linspace(-2, 2, 7)
TOLD, NULL = (0.7, 1.5), (-0.4, 2.5)
"""Mean and standard deviation of what the prior means by the prompt, and by none."""
LEVEL = {"t_first": (0.4, 0.4), "t_last": (0.1, 0.1)}
T = torch.tensor([0.4])
"""Here α and σ differ, so that one cannot stand for the other."""


@dataclass
class TwoBells(CosineLine):
    def noise(self, noisy, t, condition):
        mean, self.spread = TOLD if condition.prompt else NULL
        self.mean = self.null_mean = mean
        return super().noise(noisy, t, condition)


def levels(t: Tensor) -> tuple[Tensor, Tensor]:
    return Prior().alpha_sigma(t)


def eps(bell: tuple[float, float], x_t: Tensor, t: Tensor) -> Tensor:
    """σ (x_t - α m) / (α² s² + σ²)."""
    (mean, deviation), (alpha, sigma) = bell, levels(t)
    return sigma * (x_t - alpha * mean) / (alpha**2 * deviation**2 + sigma**2)


def guided(x_t: Tensor, t: Tensor, scale: float) -> Tensor:
    null = eps(NULL, x_t, t)
    return null + scale * (eps(TOLD, x_t, t) - null)


def along(x: Tensor, noise: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """Along the ODE x / α goes as far as σ / α does, times the noise."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = levels(t), levels(s)
    return alpha_s * (x / alpha_t + (sigma_s / alpha_s - sigma_t / alpha_t) * noise)


def at_lowest(x: Tensor, t: Tensor) -> Tensor:
    """One hop of inversion, from the lowest level up to t, by what no words see there."""
    lowest = torch.tensor([LOWEST])
    return along(x, eps(NULL, x, lowest), lowest, t)


def drawn(*uniform: int) -> tuple[list[Tensor], Tensor]:
    """What `gradient_of` draws: uniform numbers as often as said, and then the noise."""
    generator = torch.Generator().manual_seed(3)
    numbers = [torch.rand(count, generator=generator) for count in uniform]
    return numbers, torch.randn(len(X), generator=generator)


def noised(noise: Tensor, t: Tensor) -> Tensor:
    alpha, sigma = levels(t)
    return alpha * X + sigma * noise


def of(objective) -> Tensor:
    return gradient_of(objective, X, TwoBells(), one_scene(len(X))).flatten()


def test_ism_is_the_prompted_noise_less_the_unprompted_one_a_step_lower():
    (alpha, sigma), s = levels(T), torch.tensor([0.2])
    x_s = at_lowest(X, s)
    lower = eps(NULL, x_s, s)
    x_t = along(x_s, lower, s, T)
    found = of(ISM(guidance=3.0, interval=(0.2, 0.05), hops=1, **LEVEL))
    assert_close(found, sigma / alpha * (guided(x_t, T, 3.0) - lower))


def test_csm_is_the_direction_of_guidance_where_inversion_leads():
    x_t = at_lowest(X, T)
    direction = eps(TOLD, x_t, T) - eps(NULL, x_t, T)
    assert_close(of(CSM(guidance=3.0, hops=1, **LEVEL)), 3.0 * levels(T)[1] ** 2 * direction)


def test_cds_is_the_difference_of_two_levels_of_one_trajectory():
    noise = torch.randn(1, 1, 1, generator=torch.Generator().manual_seed(3)).flatten()
    t = torch.tensor([0.6])
    x_t = noised(noise, t)
    upper = guided(x_t, t, 3.0)
    lower = guided(along(x_t, upper, t, T), T, 3.0)
    assert_close(of(CDS(guidance=3.0, gap=(0.2, 0.2), **LEVEL)), levels(t)[1] ** 2 * (upper - lower))


def test_the_level_of_cds_goes_down_with_the_root_of_progress():
    quarter = Moment(26, 101, torch.Generator())
    assert CDS().times(quarter, 1).item() == pytest.approx((0.7 + 0.1) / 2)


def test_asd_asks_again_without_guidance_at_a_level_that_is_higher_by_a_share_of_what_is_left():
    """Δ is uniform from 0 to η (t - t_min)."""
    (_, u), noise = drawn(len(X), len(X))
    later = T + 0.6 * (0.4 - 0.1) * u
    difference = guided(noised(noise, T), T, 3.0) - eps(TOLD, noised(noise, later), later)
    assert_close(of(ASD(guidance=3.0, shift=0.6, **LEVEL)), levels(T)[1] ** 2 * difference)


def test_bsd_is_the_shortest_mixture_of_both_aims():
    """One of them where they agree, the shorter one; nothing where they oppose each other."""
    _, noise = drawn(len(X))
    x_t = noised(noise, T)
    null = eps(NULL, x_t, T)
    for k in (0.3, 3.0):
        told = k * (eps(TOLD, x_t, T) - null)
        kappa = (((null - told) * null) / (null - told) ** 2).clamp(0, 1)
        assert ((kappa > 0) & (kappa < 1)).any() and (kappa == (1.0 if k < 1 else 0.0)).any()
        found = of(BSD(guidance=k, **LEVEL))
        assert_close(found, levels(T)[0] * (kappa * told + (1 - kappa) * null), atol=1e-6, rtol=1e-5)


def test_jsd_js_weighs_vsd_by_the_odds_of_a_classifier():
    """With an exact q by a camera ε_q = ε, so that ℓ = -(ε_p - ε)² / 2 for pictures of one number."""
    _, noise = drawn(len(X))
    wrong = guided(noised(noise, T), T, 1.0) - noise
    expected = (-wrong.square() / 2).sigmoid() * of(VSD(fake="own", **LEVEL))
    assert_close(of(JSDJS(fake="own", **LEVEL)), expected)
