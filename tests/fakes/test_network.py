"""A learned fake: its pictures may be of any size, and a run that is resumed goes on to the last bit."""

from __future__ import annotations

import pytest
import torch

from distill3d.fakes.network import Network
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.prior import Condition
from distill3d.priors.blob import Blob
from distill3d.rendering import Rendering
from tests.objectives.particles import one_scene

CONDITION = Condition("it", one_scene(2).cameras)


def pictures(side: int) -> Rendering:
    generator = torch.Generator().manual_seed(side)
    return Rendering(torch.rand(2, side, side, 3, generator=generator), torch.ones(2, side, side, 1))


def moment(seed: int = 0) -> Moment:
    return Moment(1, 10, torch.Generator().manual_seed(seed))


def test_it_begins_at_the_noise_of_pictures_of_nothing() -> None:
    """With v = 0, ε_q = σ x_t, whatever the picture."""
    q, prior = Network(rate=1e-9), Blob()
    q.learn(pictures(16), prior, CONDITION, moment())
    p = perturb(prior.encode(pictures(16).rgb), prior, torch.tensor([0.3, 0.8]), moment())
    expected = p.sigma[:, None, None, None] * p.x_t
    torch.testing.assert_close(q.noise(p, prior, CONDITION).detach(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", [9, 18, 25])
def test_pictures_may_grow_during_a_run(side: int) -> None:
    q, prior = Network(), Blob()
    q.learn(pictures(16), prior, CONDITION, moment())
    q.learn(pictures(side), prior, CONDITION, moment())
    p = perturb(prior.encode(pictures(side).rgb), prior, torch.tensor([0.3, 0.8]), moment())
    assert q.noise(p, prior, CONDITION).shape == (2, side, side, 3)


def test_a_resumed_run_goes_on_to_the_last_bit() -> None:
    prior, whole, first, second = Blob(), Network(), Network(), Network()
    there, here = moment(), moment()
    for _ in range(4):
        whole.learn(pictures(12), prior, CONDITION, there)
    for _ in range(2):
        first.learn(pictures(12), prior, CONDITION, here)
    second.load_state_dict(first.state_dict())
    for _ in range(2):
        second.learn(pictures(12), prior, CONDITION, here)
    for name, value in whole.state_dict()["model"].items():
        assert torch.equal(second.state_dict()["model"][name], value), name
