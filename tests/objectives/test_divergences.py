"""Methods of f-divergences against derivatives of the divergences themselves, by quadrature."""

from __future__ import annotations

import math

import pytest
import torch

from distill3d.divergence import NAMES, slope, weight
from distill3d.moment import Moment
from distill3d.objectives.f_vsd import FVSD
from distill3d.objectives.sim import SIM
from distill3d.objectives.uni import Uni

from .particles import ALPHA, MANY_SCENES, SIGMA, Bell, Line

WIDTH = 1.1  # s, of the scene's pictures; the prior's S is 1.5
P = ALPHA**2 * 1.5**2 + SIGMA**2
F = {
    "reverse_kl": lambda r: -r.log(),
    "kl": lambda r: r * r.log(),
    "js": lambda r: r * r.log() - (1 + r) * ((1 + r) / 2).log(),
    "hellinger": lambda r: 2 * (1 - r.sqrt()),
    "jeffreys": lambda r: (r - 1) * r.log(),
}


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_r2_times_the_second_derivative_and_slopes_theirs(name):
    log_r = torch.linspace(-2, 2, 9, dtype=torch.float64)
    second = torch.func.vmap(torch.func.grad(torch.func.grad(F[name])))(log_r.exp())
    torch.testing.assert_close(weight(name, log_r), log_r.exp() ** 2 * second)
    log_r.requires_grad_()
    (derivative,) = torch.autograd.grad(weight(name, log_r).sum(), log_r)
    torch.testing.assert_close(slope(name, log_r), derivative)


def at_width(width: torch.Tensor, divergence: str) -> tuple[torch.Tensor, torch.Tensor]:
    """D_f(p_t‖q_t) and ½ E_q[h ‖Δ‖²], both by quadrature, for a scene of this width."""
    x = torch.linspace(-14, 14, 4001, dtype=torch.float64)
    q = ALPHA**2 * width**2 + SIGMA**2
    log_q = -0.5 * x**2 / q - 0.5 * q.log() - 0.5 * math.log(2 * math.pi)
    log_r = -0.5 * x**2 / P - 0.5 * math.log(P) - 0.5 * math.log(2 * math.pi) - log_q
    delta = x / q - x / P
    of_f = torch.trapezoid(log_q.exp() * F[divergence](log_r.exp()), x)
    return of_f, torch.trapezoid(log_q.exp() * 0.5 * weight(divergence, log_r) * delta**2, x)


def derivatives(divergence: str) -> list[float]:
    """Both derivatives in the width."""
    step = 1e-4
    ends = [at_width(torch.tensor(WIDTH + d, dtype=torch.float64), divergence) for d in (step, -step)]
    return [float(more - less) / (2 * step) for more, less in zip(*ends, strict=True)]


def measured(objective) -> float:
    """E[g ∂x/∂s] over pictures x = s z of a scene whose distribution is known."""
    n = 400_000
    z = torch.randn(n // 2, generator=torch.Generator().manual_seed(0))
    z = torch.cat([z, -z])
    objective.q = Bell(centre=0.0, width=WIDTH)
    moment = Moment(1, 1, torch.Generator().manual_seed(1))
    g = objective.gradient(WIDTH * z.reshape(-1, 1, 1, 1), Line(mean=0.0), MANY_SCENES, moment)
    return float((g.flatten() * z).mean())


@pytest.mark.parametrize("name", NAMES)
def test_f_vsd_descends_its_divergence(name):
    """E[g ∂x/∂s] h̄ = σ³ / α dD_f/ds, with h̄ the mean weight that the gradient was divided by."""
    x = torch.linspace(-14, 14, 4001, dtype=torch.float64)
    q = ALPHA**2 * WIDTH**2 + SIGMA**2
    log_q = -0.5 * x**2 / q - 0.5 * math.log(2 * math.pi * q)
    log_r = -0.5 * x**2 / P - 0.5 * math.log(2 * math.pi * P) - log_q
    mean_weight = torch.trapezoid(
        log_q.exp() * weight(name, log_r.clamp(math.log(0.1), math.log(20))), x
    ).item()
    expected = SIGMA**3 / ALPHA * derivatives(name)[0] / mean_weight
    assert measured(FVSD(divergence=name)) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_uni_descends_the_integrand_of_its_expanded_divergence(name):
    assert measured(Uni(divergence=name)) == pytest.approx(SIGMA**4 * derivatives(name)[1], rel=0.05)


def test_sim_descends_the_distance_of_scores_with_the_pictures_held():
    """With a quadratic distance: -σ⁴ (1/Q - 1/P) / Q · 2 α² s, the derivative of ½ E_sg[Δ²]."""
    q = ALPHA**2 * WIDTH**2 + SIGMA**2
    expected = -(SIGMA**4) * (1 / q - 1 / P) / q * 2 * ALPHA**2 * WIDTH
    assert 1e3 * measured(SIM(c=1e3)) == pytest.approx(expected, rel=0.05)
