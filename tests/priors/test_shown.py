"""What the exact prior makes of pictures of the object: it knows which one is meant."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from distill3d import visual_prompt
from distill3d.camera import Cameras, orbit
from distill3d.data.photographs import Photographs
from distill3d.prior import Condition
from distill3d.priors import _recognition
from distill3d.priors._recognition import log_identities
from distill3d.priors.exact import Exact
from distill3d.visual_prompt import VisualPrompt
from distill3d.world import bank
from distill3d.world.bank import everything
from distill3d.world.grammar import describe
from distill3d.world.model import instances

PROMPT = "a red robot"
SIZE, STATIONS, COUNT = 16, 12, 3


@pytest.fixture(scope="module", autouse=True)
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Renders of their own folder, few stations to search from, and two kinds for everything there is."""
    everything.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(bank, "vocabulary", lambda: {"kind": ["robot", "mug"]})
        patch.setattr(_recognition, "STATIONS", 60)
        yield
    everything.cache_clear()


def exact(**options: float) -> Exact:
    return Exact(**{"instances": COUNT, "stations": STATIONS, **options})  # type: ignore[arg-type]


def by(azimuth: float, elevation: float, width: int = 40, height: int = 40) -> Cameras:
    return orbit(torch.tensor([azimuth]), elevation, width=width, height=height)


@cache
def taken(index: int, azimuth: float = 0.5, background: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Tensor:
    """A picture of one instance, from between the stations."""
    model = instances(describe(PROMPT), COUNT)[index]
    return model.render(by(azimuth, 0.2), want=("rgb", "alpha")).over(background)


def question(count: int = 2, t: float = 0.8) -> tuple[Tensor, Tensor, Condition]:
    generator = torch.Generator().manual_seed(count)
    noisy = torch.randn(count, SIZE, SIZE, 3, generator=generator)
    cameras = orbit(torch.linspace(0, 3, count), 0.3, width=SIZE, height=SIZE)
    return noisy, torch.full((count,), t), Condition(PROMPT, cameras, torch.rand(count, 3))


@pytest.mark.parametrize(
    ("index", "background"), [(0, (1.0, 1.0, 1.0)), (1, (0.1, 0.5, 0.2)), (2, (0.0, 0.0, 0.0))]
)
def test_a_picture_of_an_instance_is_recognised_from_anywhere(index: int, background) -> None:
    shown = VisualPrompt(taken(index, 0.5 + 2 * index, background))
    p = log_identities(shown, PROMPT, COUNT, 0.1).exp()
    assert p[index] > 0.9 and p.sum().item() == pytest.approx(1, abs=1e-5)


def test_with_a_picture_of_one_instance_the_mixture_is_that_of_this_one_alone() -> None:
    noisy, t, condition = question()
    shown = condition.showing(VisualPrompt(taken(0)))
    alone = exact(instances=1).noise(noisy, t, condition)
    sure = exact(tolerance=0.03)
    torch.testing.assert_close(sure.noise(noisy, t, shown), alone, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(sure.joint_noise(noisy, t, shown), alone, atol=1e-4, rtol=1e-3)
    assert (sure.noise(noisy, t, condition) - alone).abs().max() > 0.01


def test_a_picture_that_may_be_anything_says_nothing() -> None:
    noisy, t, condition = question()
    shown = condition.showing(VisualPrompt(taken(1)))
    vague = exact(tolerance=1e4)
    torch.testing.assert_close(vague.noise(noisy, t, shown), vague.noise(noisy, t, condition))


def test_nothing_is_shown_to_the_null_prompt() -> None:
    noisy, t, condition = question()
    shown = condition.showing(VisualPrompt(taken(1)))
    assert shown.without_prompt().visual is None
    null = exact().noise(noisy, t, condition.without_prompt())
    assert torch.equal(exact().noise(noisy, t, shown.without_prompt()), null)


def test_evidence_adds_up_over_pictures() -> None:
    first, second = taken(1), taken(2, 3.0)
    each = [log_identities(VisualPrompt(x), PROMPT, COUNT, 2.0) for x in (first, second)]
    both = log_identities(VisualPrompt(torch.cat([first, second])), PROMPT, COUNT, 2.0)
    torch.testing.assert_close(both, (each[0] + each[1]).log_softmax(-1))
    assert both.exp().max() < 0.9


def test_views_of_one_object_are_told_once_what_is_shown() -> None:
    """Under noise that hides all, how many views there are changes nothing."""
    noisy, t, condition = question(4, t=0.9999)
    shown = condition.showing(VisualPrompt(taken(1)))
    prior = exact(tolerance=2.0)
    first = torch.tensor([0])
    one = prior.joint_noise(noisy[first], t[first], shown[first])
    torch.testing.assert_close(prior.joint_noise(noisy, t, shown)[first], one, atol=1e-3, rtol=1e-3)


def test_a_known_camera_is_believed() -> None:
    """A picture of what cannot be seen from there speaks for none of the objects rather than for its own."""
    models = instances(describe(PROMPT), COUNT)
    camera = by(1.0, 0.3, width=48, height=30)
    wide = models[2].render(camera, want=("rgb", "alpha")).over((0.0, 0.0, 0.0))
    assert log_identities(VisualPrompt(wide, camera), PROMPT, COUNT, 0.1).exp()[2] > 0.99
    exact().check_visual(VisualPrompt(wide, camera))
    from_there, elsewhere = (VisualPrompt(taken(2), by(a, 0.2)) for a in (0.5, 0.5 + math.pi))
    right, wrong = (_recognition._by_cameras(shown, PROMPT, COUNT)[2] for shown in (from_there, elsewhere))
    assert wrong > 5 * right


def test_what_is_clear_in_a_picture_is_white(tmp_path: Path) -> None:
    rgba = torch.tensor([[[200, 100, 0, 255], [200, 100, 0, 0]]], dtype=torch.uint8)
    Image.fromarray(rgba.numpy(), "RGBA").save(tmp_path / "picture.png")
    expected = torch.tensor([[[[200, 100, 0], [255, 255, 255]]]]) / 255
    torch.testing.assert_close(visual_prompt.from_file(str(tmp_path / "picture.png")).rgb, expected)
    cameras = by(0.0, 0.0, width=2, height=1)
    believed = torch.tensor([[[[255], [255]]]], dtype=torch.uint8)
    premultiplied = rgba[None] * (rgba[None, ..., 3:] > 0)
    for doubt, white in ((believed, expected), (believed * 0, torch.ones(1, 1, 2, 3))):
        seen = visual_prompt.from_photographs(Photographs(cameras, premultiplied, doubt))
        torch.testing.assert_close(seen.rgb, white)


def test_a_tolerance_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"prior.tolerance is 0; expected a number over 0"):
        exact(tolerance=0.0)
