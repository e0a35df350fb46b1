"""The exact prior's density, and its noise of many views together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from distill3d.camera import turntable
from distill3d.prior import Condition, clean_from_noise
from distill3d.priors.exact import Exact

PROMPT, VIEWS = "a red robot", 3


@pytest.fixture(scope="module", autouse=True)
def own_renders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def question(size: int) -> tuple[torch.Tensor, Condition]:
    generator = torch.Generator().manual_seed(size)
    noisy = torch.randn(VIEWS, size, size, 3, generator=generator)
    background = torch.rand(VIEWS, 3, generator=generator)
    return noisy, Condition(PROMPT, turntable(VIEWS, width=size, height=size), background)


@pytest.mark.parametrize("size", [16, 24])
def test_the_noise_is_the_derivative_of_the_log_density(size: int) -> None:
    """ε = -σ ∇ log p_t, at any size of pictures."""
    prior = Exact(instances=2, stations=8, leak=0.3, spread=0.3)
    noisy, condition = question(size)
    noisy.requires_grad_()
    t = torch.tensor([0.3, 0.6, 0.9])
    (score,) = torch.autograd.grad(prior.log_density(noisy, t, condition).sum(), noisy)
    sigma = prior.alpha_sigma(t)[1][:, None, None, None]
    torch.testing.assert_close(prior.noise(noisy, t, condition), -sigma * score, atol=2e-3, rtol=2e-3)


def test_densities_of_wider_components_are_lower_where_all_fits() -> None:
    """Along the width alone log p falls by D log(width): the constant that two priors share."""
    noisy, condition = question(16)
    t = torch.full((VIEWS,), 1.0)
    narrow, wide = (
        Exact(instances=1, stations=8, spread=s).log_density(noisy, t, condition) for s in (0.1, 0.9)
    )
    torch.testing.assert_close(narrow, wide, atol=1e-2, rtol=1e-5)
    sigma_1 = -0.5 * noisy.flatten(1).square().sum(-1)
    torch.testing.assert_close(narrow, sigma_1, atol=0.5, rtol=1e-3)


def test_of_one_instance_all_views_together_say_what_each_says() -> None:
    prior = Exact(instances=1, stations=8)
    noisy, condition = question(16)
    t = torch.tensor([0.3, 0.6, 0.9])
    torch.testing.assert_close(
        prior.joint_noise(noisy, t, condition), prior.noise(noisy, t, condition), atol=1e-4, rtol=1e-4
    )


def test_a_view_that_shows_nothing_is_told_by_the_others_which_instance_it_is_of() -> None:
    """One picture is clear and the others are pure noise: all clean pictures are of that one's instance."""
    prior, (noisy, condition) = Exact(instances=4, stations=8), question(16)
    t = torch.tensor([0.05, 0.999, 0.999])
    shown = prior._pictures(PROMPT, torch.empty(1, 16, 16, 3))
    clear = {}
    for instance in range(4):
        alone = Exact(instances=1, stations=8)
        first = instance * shown.stations
        alone._pictures = lambda prompt, like, first=first: part_of(shown, first)
        alpha, sigma = (v[:, None, None, None] for v in prior.alpha_sigma(t))
        target = clean_from_noise(alone.noise(noisy, t, condition), noisy, *prior.alpha_sigma(t))
        pictures = torch.cat([alpha[:1] * target[:1] + sigma[:1] * noisy[:1], noisy[1:]])
        seen = prior.joint_noise(pictures, t, condition)
        clear[instance] = (alone.noise(pictures, t, condition) - seen).abs().max()
    assert all(error < 1e-3 for error in clear.values())


def part_of(pictures, first: int):
    """The renders of one instance."""
    from distill3d.priors.exact import _Pictures
    from distill3d.world.bank import Bank

    rows = slice(first, first + pictures.stations)
    return _Pictures(Bank(pictures.bank.rgba[rows], pictures.bank.cameras[rows]), pictures.stations)


def test_leak_is_a_failing_of_single_views() -> None:
    noisy, condition = question(16)
    t = torch.full((VIEWS,), 0.8)
    leaky, sound = (
        Exact(instances=2, stations=8, leak=k).joint_noise(noisy, t, condition) for k in (0.9, 0.0)
    )
    assert torch.equal(leaky, sound)
