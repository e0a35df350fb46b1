"""SDS against its closed forms under a Gaussian prior N(μ, S²), with P = α² S² + σ²."""

import pytest
import torch

from distill3d.moment import Moment
from distill3d.objectives.sds import SDS
from distill3d.prior import Condition

from .particles import ALPHA, SIGMA, Line, descend_particles

P = ALPHA**2 * 1.5**2 + SIGMA**2


def test_the_expected_gradient_is_the_smoothed_residual():
    """E[g] = σ³ α (x - μ) / P."""
    prior, n = Line(), 200_000
    x = torch.full((n, 1, 1, 1), 2.0)
    moment = Moment(1, 1, torch.Generator().manual_seed(0))
    g = SDS().gradient(x, prior, Condition("it"), moment)
    expected = SIGMA**3 * ALPHA * (2.0 - prior.mean) / P
    assert g.mean().item() == pytest.approx(expected, abs=4 * g.std().item() / n**0.5)
    assert abs(expected) > 20 * g.std().item() / n**0.5


def test_particles_collapse_to_the_mode_down_to_the_noise_floor():
    """Mean errors shrink by ρ = 1 - η σ³ α / P a step; the variance ends at η²σ⁴ (σ²/P - 1)² / (1 - ρ²)."""
    eta, steps, n = 0.5, 200, 8192
    start = torch.randn(n, generator=torch.Generator().manual_seed(1)) * 1.5 - 3
    end = descend_particles(SDS(), Line(), start, rates=[eta] * steps)
    rho = 1 - eta * SIGMA**3 * ALPHA / P
    floor = eta**2 * SIGMA**4 * (SIGMA**2 / P - 1) ** 2 / (1 - rho**2)
    variance = start.var().item() * rho ** (2 * steps) + floor * (1 - rho ** (2 * steps))
    mean_error = (start.mean().item() - 0.7) * rho**steps
    assert end.mean().item() - 0.7 == pytest.approx(mean_error, abs=4 * (floor / n) ** 0.5)
    assert end.var().item() == pytest.approx(variance, rel=0.08)
    assert variance < 0.1 * 1.5**2


def test_guidance_extrapolates_the_mean_away_from_the_null_prompt():
    """With equal variances the mode is μ_u + s (μ_c - μ_u)."""
    end = descend_particles(
        SDS(guidance=4.0), Line(mean=0.7, null_mean=0.2), torch.zeros(4096), rates=[0.5] * 300
    )
    assert end.mean().item() == pytest.approx(0.2 + 4 * 0.5, abs=0.03)


def test_times_glide_from_the_first_window_to_the_last():
    sds, generator = SDS(t_first=(0.6, 0.9), t_last=(0.1, 0.2)), torch.Generator().manual_seed(0)
    first, last = (sds.times(Moment(k, 100, generator), 1000) for k in (1, 100))
    assert first.min() >= 0.6 and first.max() <= 0.9 and first.max() - first.min() > 0.28
    assert last.min() >= 0.1 and last.max() <= 0.2
