"""The rectified prior: every pose as likely as it should be, by RecDreamer's own formula."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from distill3d.camera import turntable
from distill3d.prior import Condition
from distill3d.priors.exact import Exact
from distill3d.priors.rectified import POSES, Rectified, poses_of
from distill3d.world import bank
from distill3d.world.bank import Bank, bank_of, everything
from distill3d.world.grammar import describe

PROMPT = "a red robot"
SIZE = 12
SMALL = {"instances": 2, "stations": 48}


@pytest.fixture(scope="module", autouse=True)
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    everything.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(bank, "vocabulary", lambda: {"kind": ["robot", "mug"]})
        yield
    everything.cache_clear()


def known() -> Bank:
    return bank_of(describe(PROMPT), SMALL["instances"], SMALL["stations"], width=SIZE, height=SIZE)


def shares(prior: Exact, condition: Condition) -> tuple[Tensor, Tensor]:
    """How likely each pose is, and should be."""
    renders = known()
    poses = poses_of(renders.cameras)
    weights = prior._log_weights(renders, condition).softmax(-1)
    by_pose = torch.zeros(len(weights), POSES).index_add(1, poses, weights)
    return by_pose, torch.bincount(poses, minlength=POSES) / len(poses)


def asked(prior: Exact, condition: Condition, t: float = 0.6) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.randn(3, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
    times = torch.full((3,), t)
    return x, times, prior.noise(x, times, condition)


def test_the_front_is_at_the_middle_of_the_first_arc() -> None:
    assert poses_of(turntable(12, width=1, height=1)).tolist() == list(range(12))


def test_no_pose_is_a_favourite_of_a_biased_prior_any_more() -> None:
    condition = Condition(PROMPT)
    biased, should = shares(Exact(bias=0.9, **SMALL), condition)
    assert biased[0, 0] > 2 * should[0]
    rectified, _ = shares(Rectified(bias=0.9, **SMALL), condition)
    torch.testing.assert_close(rectified, should[None])
    half, _ = shares(Rectified(bias=0.9, rectify=0.5, **SMALL), condition)
    assert should[0] < half[0, 0] < biased[0, 0]


def test_what_has_no_favourite_stays_as_it_is() -> None:
    for options, rectify in (({"bias": 0.0}, 1.0), ({"bias": 0.9}, 0.0)):
        _, _, plain = asked(Exact(**options, **SMALL), Condition(PROMPT))
        _, _, rectified = asked(Rectified(**options, rectify=rectify, **SMALL), Condition(PROMPT))
        torch.testing.assert_close(rectified, plain, atol=1e-5, rtol=1e-4)


def test_a_leaky_view_word_yields_fronts_less_often_and_nothing_new() -> None:
    condition = Condition(PROMPT, turntable(4, width=SIZE, height=SIZE)[2:3])
    leaky, should = shares(Exact(leak=0.8, **SMALL), condition)
    rectified, _ = shares(Rectified(leak=0.8, **SMALL), condition)
    assert leaky[0, 0] > rectified[0, 0] and rectified[0, POSES // 2] > leaky[0, POSES // 2]
    assert torch.equal(rectified > 0, leaky > 0)
    seen = leaky[0] > 0
    torch.testing.assert_close(rectified[0, seen], should[seen] / should[seen].sum())


@pytest.mark.parametrize("options", [{"bias": 0.9}, {"leak": 0.8}])
def test_its_noise_is_that_of_the_pose_classifiers_gradient(options: dict[str, float]) -> None:
    """ε̃ = ε - σ ∇ log Σ_c p(c|x_t) r(c), with the exact classifier differentiated automatically."""
    condition = Condition(PROMPT, turntable(3, width=SIZE, height=SIZE))
    prior, rectified = Exact(**options, **SMALL), Rectified(**options, **SMALL)
    x, t, noise = asked(prior, condition)
    by_pose, should = shares(prior, condition)
    r = torch.where(by_pose > 0, should / by_pose.clamp_min(1e-12), 1.0)
    x = x.requires_grad_()
    classified = prior._compared(x, t, condition).logits.softmax(-1)
    expected_r = (classified * r.expand(len(x), -1)[:, poses_of(known().cameras)]).sum(-1)
    (slope,) = torch.autograd.grad(expected_r.log().sum(), x)
    _, sigma = prior.alpha_sigma(t)
    said = rectified.noise(x.detach(), t, condition)
    assert (said - noise).abs().max() > 1e-3
    torch.testing.assert_close(said, noise - sigma[:, None, None, None] * slope, atol=2e-3, rtol=1e-2)


def test_a_share_is_a_number_from_0_to_1() -> None:
    with pytest.raises(ValueError, match=r"prior\.rectify is 2; expected a number from 0 to 1"):
        Rectified(rectify=2.0)
