"""Where particles end under a Gaussian prior N(μ, S²), against closed forms."""

from __future__ import annotations

import pytest
import torch

from distill3d.fakes.network import Network
from distill3d.moment import Moment
from distill3d.noised import LOWEST, inverted, perturb, step
from distill3d.objectives.csd import CSD
from distill3d.objectives.esd import ESD
from distill3d.objectives.vsd import VSD
from distill3d.prior import Prior, clean_from_noise

from .particles import (
    ALPHA,
    MANY_SCENES,
    SIGMA,
    CosineLine,
    Line,
    as_rendering,
    bell,
    descend_particles,
    falling,
    gradient_of,
    one_scene,
)

COUNT = 64
LEVELS = torch.linspace(0.2, 0.8, 2001)


def test_vsd_of_many_scenes_ends_at_the_prior_itself():
    """Their mean is μ and their deviation S; each particle keeps away from the others."""
    vsd = VSD(fake="own", memory=COUNT)
    end = descend_particles(vsd, Line(), bell(COUNT), rates=falling(0.8, 100))
    assert end.mean().item() == pytest.approx(0.7, abs=0.05 * 1.5)
    assert end.std().item() == pytest.approx(1.5, rel=0.05)


def test_guidance_moves_the_mean_of_vsd_beyond_and_leaves_its_variance():
    """Equal variances: m = μ_c + (s - 1) (μ_c - μ_u), and the standard deviation stays S."""
    vsd = VSD(fake="own", memory=COUNT, guidance=4.0)
    prior = Line(mean=0.7, null_mean=0.2)
    end = descend_particles(vsd, prior, bell(COUNT), rates=falling(0.8, 100))
    assert end.mean().item() == pytest.approx(0.7 + 3 * 0.5, rel=0.05)
    assert end.std().item() == pytest.approx(1.5, rel=0.05)


def esd_weights() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """At many noise levels: ω = σ³ α, the pull of a residual, with α² and σ²."""
    alpha, sigma = Prior().alpha_sigma(LEVELS)
    return sigma**3 * alpha, alpha**2, sigma**2


def esd_variance(entropy: float) -> float:
    """The root of Σ ω (1/P - λ/Q) = 0 in s², by bisection; 0 under the critical λ."""
    w, a2, s2 = esd_weights()
    low, high = 0.0, 1.5**2
    for _ in range(60):
        middle = (low + high) / 2
        pull = (w * (1 / (a2 * 1.5**2 + s2) - entropy / (a2 * middle + s2))).sum()
        low, high = (middle, high) if pull < 0 else (low, middle)
    return low


def test_under_the_critical_entropy_the_variance_is_zero():
    """λ_c = Σ ω/P / Σ ω/σ²."""
    w, a2, s2 = esd_weights()
    critical = float((w / (a2 * 1.5**2 + s2)).sum() / (w / s2).sum())
    assert esd_variance(0.95 * critical) < 1e-6 and esd_variance(1.05 * critical) > 0.01


@pytest.mark.slow
def test_descent_finds_the_critical_entropy():
    """At one noise level s² = λ S² - (1 - λ) σ²/α²: the line through what is kept at two λ meets zero at
    λ_c = (σ²/α²) / (S² + σ²/α²) = 0.2.
    """
    start, rates = bell(COUNT, mean=0.7, deviation=0.7), [0.05] * 800

    def kept(entropy: float) -> float:
        esd = ESD(entropy=entropy, memory=COUNT)
        end = descend_particles(esd, Line(), start, rates=rates, condition=one_scene(COUNT))
        return float(end.var(correction=0))

    low, high = kept(0.5), kept(0.9)
    ratio = SIGMA**2 / ALPHA**2
    critical = 0.5 - low * (0.9 - 0.5) / (high - low)
    assert critical == pytest.approx(ratio / (1.5**2 + ratio), rel=0.05)


def test_esd_at_many_noise_levels_keeps_the_variance_of_the_closed_form():
    level = {"t_first": (0.2, 0.8), "t_last": (0.2, 0.8)}
    esd = ESD(entropy=0.7, memory=COUNT, **level)
    condition, rates = one_scene(COUNT), falling(0.4, 200)
    end = descend_particles(esd, CosineLine(), bell(COUNT), rates=rates, condition=condition)
    assert end.mean().item() == pytest.approx(0.7, abs=0.075)
    assert end.var().item() == pytest.approx(esd_variance(0.7), rel=0.1)


def test_csd_has_no_rest_it_moves_on_for_ever():
    """Its direction under Line is the same everywhere: from the null prompt's mean to the prompt's."""
    near, far = (gradient_of(CSD(), torch.full((4,), x), Line(), one_scene(4)) for x in (0.7, 50.0))
    torch.testing.assert_close(near, far, atol=1e-4, rtol=1e-3)
    assert (near < 0).all()


def test_steps_along_the_ode_keep_a_picture_as_many_deviations_from_the_mean():
    """(x_t - α μ) / √P is constant along the probability flow of a Gaussian."""
    prior, x = CosineLine(), torch.linspace(-2, 2, 5).reshape(-1, 1, 1, 1)
    t = torch.full((5,), 0.6)
    p = inverted(x, prior, MANY_SCENES, t, steps=200, guidance=1.0)

    def deviations(x_t, level):
        alpha, sigma = (a[:, None, None, None] for a in prior.alpha_sigma(level))
        return (x_t - alpha * 0.7) / (alpha**2 * 1.5**2 + sigma**2).sqrt()

    torch.testing.assert_close(
        deviations(p.x_t, t), deviations(x, torch.full((5,), LOWEST)), atol=0.03, rtol=0.03
    )


def test_a_step_down_undoes_a_step_up_with_the_same_noise():
    prior, generator = CosineLine(), torch.Generator().manual_seed(0)
    x, noise = (torch.randn(4, 1, 1, 1, generator=generator) for _ in range(2))
    low, high = torch.full((4,), 0.2), torch.full((4,), 0.7)
    there = step(x, noise, prior, low, high)
    torch.testing.assert_close(step(there, noise, prior, high, low), x, atol=1e-5, rtol=1e-4)


def test_a_learned_fake_knows_the_pictures_of_each_camera_and_their_mean_without():
    """At much noise the clean picture seen by it is the camera's, or the mean of all where none is known."""
    x = torch.tensor([-1.0, -1.0, 1.0, 1.0])
    prior, condition, q = CosineLine(), one_scene(1024), Network(rate=1e-2)
    condition = condition[torch.tensor([0, 0, 512, 512])]
    generator = torch.Generator().manual_seed(0)
    moment = Moment(1, 1, generator)
    with torch.no_grad():
        for _ in range(200):
            q.learn(as_rendering(x), prior, condition, moment)
        p = perturb(prior.show(as_rendering(x), condition), prior, torch.full((4,), 0.75), moment)
        by_camera, free = (
            clean_from_noise(q.noise(p, prior, c), p.x_t, p.alpha, p.sigma).flatten()
            for c in (condition, condition.without_cameras())
        )
    torch.testing.assert_close(
        by_camera.reshape(2, 2).mean(-1), torch.tensor([-1.0, 1.0]), atol=0.3, rtol=0.0
    )
    assert free.abs().max() < 0.7
