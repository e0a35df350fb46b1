"""Parametrisations and classifier-free guidance."""

import pytest
import torch

from distill3d.mixture import posterior_mean
from distill3d.prior import Condition, Prior, Question, clean_from_noise, guided, noise_from_clean
from distill3d.rendering import Rendering


class TwoAnswers(Prior):
    def noise(self, noisy, t, condition):
        return torch.full_like(noisy, 1.0 if condition.prompt is None else 3.0)


@pytest.mark.parametrize(("scale", "expected"), [(0.0, 1.0), (1.0, 3.0), (0.5, 2.0), (7.5, 16.0)])
def test_guidance_is_unconditional_at_0_and_conditional_at_1(scale, expected):
    answer = guided(TwoAnswers(), torch.zeros(2, 3), torch.full((2,), 0.5), Condition("it"), scale)
    assert answer.unique().tolist() == [expected]


def test_noise_and_clean_predictions_are_inverse():
    generator = torch.Generator().manual_seed(0)
    x, noisy = (torch.randn(4, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    alpha, sigma = Prior().alpha_sigma(torch.tensor([0.1, 0.4, 0.6, 0.9], dtype=torch.float64))
    noise = noise_from_clean(x, noisy, alpha, sigma)
    torch.testing.assert_close(clean_from_noise(noise, noisy, alpha, sigma), x)
    torch.testing.assert_close(alpha[:, None] * x + sigma[:, None] * noise, noisy)


def test_the_schedule_preserves_variance_and_only_adds_noise():
    alpha, sigma = Prior().alpha_sigma(torch.linspace(0, 1, 101))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones(101))
    assert (sigma.diff() > 0).all() and alpha[0] == 1 and sigma[0] == 0


def test_pictures_are_shown_in_front_of_their_own_background():
    clear = Rendering(torch.zeros(2, 1, 1, 3), torch.zeros(2, 1, 1, 1))
    shown = Prior().show(clear, Condition("it", background=torch.tensor([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]])))
    assert shown.flatten().tolist() == [-1, 0, 1, 1, 1, 1]


def test_groups_of_one_background():
    background = torch.tensor([[0.0, 0, 0], [1, 1, 1], [0, 0, 0]])
    groups = Condition("it", background=background).same_background(3)
    assert sorted(sorted(g.tolist()) for g in groups) == [[0, 2], [1]]
    assert [g.tolist() for g in Condition("it").same_background(3)] == [[0, 1, 2]]


def test_the_mixture_score_is_the_derivative_of_its_log_density():
    """E[x|x_t] from Tweedie: (x_t + σ² ∇ log p(x_t)) / α, with ∇ log p by automatic differentiation."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    log_weights = torch.randn(1, 7, generator=generator, dtype=torch.float64).log_softmax(-1)
    x_t = torch.randn(5, 3, generator=generator, dtype=torch.float64).requires_grad_()
    alpha, sigma = Prior().alpha_sigma(torch.linspace(0.2, 0.9, 5, dtype=torch.float64))
    spread = 0.3
    v = (alpha**2 * spread**2 + sigma**2)[:, None]
    square = (x_t[:, None] - alpha[:, None, None] * centres).square().sum(-1)
    log_p = torch.logsumexp(log_weights - square / (2 * v), -1)
    (score,) = torch.autograd.grad(log_p.sum(), x_t)
    expected = (x_t + sigma[:, None] ** 2 * score) / alpha[:, None]
    mean = posterior_mean(x_t, centres, alpha, sigma, spread=spread, log_weights=log_weights)
    torch.testing.assert_close(mean, expected.detach(), check_dtype=True)


def test_what_is_asked_twice_is_answered_once():
    class Counting(TwoAnswers):
        asked = 0

        def noise(self, noisy, t, condition):
            self.asked += 1
            return super().noise(noisy, t, condition)

    prior, noisy, t, told = Counting(), torch.zeros(2, 3), torch.full((2,), 0.5), Condition("it")
    words = (told, told.without_prompt(), told.saying(None), told.saying("other"))
    answers = prior.answers([Question(noisy, t, c) for c in words])
    assert prior.asked == 3 and [a.mean().item() for a in answers] == [3, 1, 1, 3]
    assert len(prior.answers([Question(noisy, t, told), Question(noisy.clone(), t, told)])) == 2
    assert prior.asked == 5
