"""ESD against its closed forms: identities with SDS and the variance it keeps."""

from dataclasses import replace

import pytest
import torch

from distill3d.moment import Moment
from distill3d.objectives.esd import ESD
from distill3d.objectives.sds import SDS
from distill3d.prior import Condition
from distill3d.rendering import Rendering

from .particles import ALPHA, SIGMA, Line, as_rendering, bell, descend_particles, falling, one_scene

COUNT, SMALL = 64, [0.04] * 1000


def gradient(objective, x, background=None):
    moment = Moment(1, 1, torch.Generator().manual_seed(3))
    prior, condition = Line(), replace(one_scene(len(x)), background=background)
    rendering = as_rendering(x)
    objective.learn(rendering, prior, condition, moment)
    return objective.gradient(prior.show(rendering, condition), prior, condition, moment)


def test_without_entropy_it_is_sds():
    x = torch.linspace(-2, 2, 16)
    torch.testing.assert_close(gradient(ESD(entropy=0.0), x), gradient(SDS(), x))


def test_one_picture_has_no_entropy_to_keep_so_it_is_sds():
    """One particle with its exact marginal: ε_q = ε, whatever λ."""
    x = torch.tensor([1.3])
    for entropy in (0.0, 0.5, 1.0):
        torch.testing.assert_close(
            gradient(ESD(entropy=entropy), x), gradient(SDS(), x), atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize(
    ("entropy", "rates"),
    [
        # the less of the entropy is kept up, the more slowly the last of the variance goes
        pytest.param(0.1, SMALL, marks=pytest.mark.slow),
        pytest.param(0.3, SMALL, marks=pytest.mark.slow),
        (0.6, falling(0.4, 200)),
        (0.9, falling(0.4, 200)),
    ],
)
def test_the_variance_kept_is_the_closed_form(entropy, rates):
    """s² = max(0, λ S² - (1 - λ) σ² / α²) at one noise level, and the mean is the prior's."""
    expected = max(0.0, entropy * 1.5**2 - (1 - entropy) * SIGMA**2 / ALPHA**2)
    esd = ESD(entropy=entropy, memory=COUNT)
    end = descend_particles(esd, Line(), bell(COUNT), rates=rates, condition=one_scene(COUNT))
    assert end.mean().item() == pytest.approx(0.7, abs=0.12)
    assert end.var().item() == pytest.approx(expected, rel=0.1, abs=0.06)


def test_a_remembered_picture_moves_to_the_background_asked_for():
    """Half-transparent pictures remembered on one background give the marginal on another."""
    half = Rendering(torch.full((1, 1, 1, 3), 0.2), torch.full((1, 1, 1, 1), 0.5))
    prior, moment = Line(), Moment(1, 1, torch.Generator().manual_seed(0))
    white, black = (Condition("it", background=torch.full((1, 3), c)) for c in (1.0, 0.0))
    objective = ESD(entropy=1.0)
    objective.learn(half, prior, white, moment)
    generator = torch.Generator().manual_seed(5)
    on_black = objective.gradient(prior.show(half, black), prior, black, Moment(1, 1, generator))
    generator.manual_seed(5)
    expected = SDS().gradient(prior.show(half, black), prior, black, Moment(1, 1, generator))
    torch.testing.assert_close(on_black, expected, atol=1e-5, rtol=1e-4)
