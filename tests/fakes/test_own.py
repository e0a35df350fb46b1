"""The scene's own pictures as its distribution."""

import pytest
import torch

from distill3d.fakes.own import Own
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.prior import Condition, clean_from_noise
from tests.objectives.particles import MANY_SCENES, Line, as_rendering, one_scene

MOMENT = Moment(1, 1, torch.Generator().manual_seed(0))


def noised_particles(count: int):
    x = torch.linspace(-2, 2, count)
    prior = Line()
    shown = prior.show(as_rendering(x), MANY_SCENES)
    return x, prior, perturb(shown, prior, torch.full((count,), 0.5), MOMENT)


def test_by_a_camera_the_noise_is_the_one_that_was_added():
    x, prior, p = noised_particles(5)
    q = Own()
    q.learn(as_rendering(x), prior, one_scene(5), MOMENT)
    assert torch.equal(q.noise(p, prior, one_scene(5)), p.noise)


def test_whatever_the_camera_the_clean_picture_lies_among_those_remembered():
    x, prior, p = noised_particles(5)
    q = Own()
    q.learn(as_rendering(x), prior, one_scene(5), MOMENT)
    clean = clean_from_noise(q.noise(p, prior, MANY_SCENES), p.x_t, p.alpha, p.sigma)
    assert clean.min() >= x.min() and clean.max() <= x.max()
    assert not torch.allclose(clean.flatten(), x, atol=0.1)


@pytest.mark.parametrize("condition", [MANY_SCENES, one_scene(6)], ids=["of all cameras", "by a camera"])
def test_the_noise_is_the_score_of_the_density(condition):
    """ε_q = -σ ∇ log q_t by automatic differentiation; by a camera q_t is N(α x, σ²)."""
    x, prior, p = noised_particles(6)
    q = Own()
    q.learn(as_rendering(x), prior, condition, MOMENT)
    p.x_t.requires_grad_()
    if condition.cameras is None:
        (score,) = torch.autograd.grad(q.log_density(p, prior, condition).sum(), p.x_t)
        torch.testing.assert_close(-0.6 * score, q.noise(p, prior, condition), atol=1e-5, rtol=1e-4)
    slope = torch.autograd.grad(q.noise(p, prior, condition).sum(), p.x_t)[0]
    assert (slope <= 1 / 0.6 + 1e-5).all()


def test_memory_keeps_the_latest_pictures_only():
    q = Own(memory=5)
    for start in range(0, 12, 4):
        q.learn(as_rendering(torch.arange(start, start + 4.0)), Line(), Condition("it"), MOMENT)
    assert q.recent.rgb[:, 0, 0, 0].tolist() == [7, 8, 9, 10, 11]


def test_state_goes_round():
    q, other = Own(), Own()
    q.learn(as_rendering(torch.arange(3.0)), Line(), MANY_SCENES, MOMENT)
    other.load_state_dict(q.state_dict())
    torch.testing.assert_close(other.recent.rgb, q.recent.rgb)
    assert Own().state_dict() == {}


def test_a_question_before_any_picture_is_refused():
    _, prior, p = noised_particles(2)
    with pytest.raises(RuntimeError, match="before it was shown any"):
        Own().noise(p, prior, MANY_SCENES)
