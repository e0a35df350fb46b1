"""The score teacher: what reaches the picture is the method's direction; some pictures stand on white."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from distill3d.camera import Cameras, turntable
from distill3d.moment import Moment
from distill3d.objective import Objective
from distill3d.objectives.esd import ESD
from distill3d.prior import Condition, Prior
from distill3d.priors.blob import Blob
from distill3d.rendering import Rendering
from distill3d.teachers.score import Score


class Pixels(Prior):
    """A prior of pictures as they are; knows nothing."""

    def encode(self, rgb: Tensor) -> Tensor:
        return rgb


@dataclass
class Told(Objective):
    """Answers with `direction`, and notes what it was asked."""

    direction: Tensor | None = None

    def __post_init__(self) -> None:
        self.asked: list[str] = []

    def learn(self, rendering: Rendering, prior: Prior, condition: Condition, moment: Moment) -> None:
        self.asked.append("learn")

    def gradient(self, x: Tensor, prior: Prior, condition: Condition, moment: Moment) -> Tensor:
        self.asked.append("gradient")
        self.condition, self.x, self.recorded = condition, x, torch.is_grad_enabled()
        return torch.zeros_like(x) if self.direction is None else self.direction


def cameras(count: int) -> Cameras:
    return turntable(count, width=4, height=4)


def pictures(count: int) -> Rendering:
    generator = torch.Generator().manual_seed(0)
    alpha = torch.rand(count, 4, 4, 1, generator=generator)
    rgb = alpha * torch.rand(count, 4, 4, 3, generator=generator)
    return Rendering(rgb.requires_grad_(), alpha.requires_grad_())


def moment(seed: int = 0) -> Moment:
    return Moment(1, 1, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [1, 3])
def test_what_reaches_the_pictures_is_the_direction_over_their_number(count: int) -> None:
    """Colours get g / B. A background b shows through what is not opaque, so alpha gets -g · b / B."""
    g = torch.randn(count, 4, 4, 3, generator=torch.Generator().manual_seed(1))
    told, shown = Told(direction=g), pictures(count)
    loss = Score(Pixels(), told, "it")(cameras(count), shown, moment())
    loss.total.backward()
    torch.testing.assert_close(shown.rgb.grad, g / count)
    behind = told.condition.background[:, None, None]
    torch.testing.assert_close(shown.alpha.grad, -(g * behind).sum(-1, keepdim=True) / count)
    assert loss.total.item() == pytest.approx(0.5 * g.square().sum().item() / count)


def test_the_method_sees_the_pictures_on_their_backgrounds_and_learns_first() -> None:
    told, shown = Told(), pictures(3)
    views = cameras(3)
    Score(Pixels(), told, "a prompt")(views, shown, moment())
    assert told.asked == ["learn", "gradient"]
    torch.testing.assert_close(told.x, shown.over(told.condition.background).detach())
    assert told.condition.prompt == "a prompt" and told.condition.cameras is views
    assert not told.recorded and not told.x.requires_grad


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_backgrounds_are_white_or_any_colour(share: float) -> None:
    told, count = Told(), 2000
    Score(Pixels(), told, "it", backgrounds=share)(cameras(count), pictures(count), moment())
    background = told.condition.background
    coloured = (background != 1).any(-1)
    assert coloured.float().mean().item() == pytest.approx(share, abs=0.04)
    if share:
        colours = background[coloured]
        assert colours.min() >= 0 and colours.max() <= 1
        torch.testing.assert_close(colours.mean(0), torch.full((3,), 0.5), atol=0.05, rtol=0)
        assert len(colours.unique(dim=0)) == len(colours)


def test_the_parts_are_what_was_measured() -> None:
    g = torch.full((2, 4, 4, 3), 0.3)
    shown = pictures(2)
    parts = Score(Pixels(), Told(direction=g), "it")(cameras(2), shown, moment()).parts
    assert parts["gradient"].item() == pytest.approx(0.3)
    assert parts["alpha"].item() == pytest.approx(shown.alpha.mean().item())


def test_what_the_method_has_learnt_goes_round_with_the_state() -> None:
    first, second = (Score(Blob(), ESD(memory=5), "it") for _ in range(2))
    first(cameras(3), pictures(3), moment())
    second.load_state_dict(first.state_dict())
    after = [score(cameras(3), pictures(3), moment(4)).total.item() for score in (first, second)]
    assert after[0] == after[1] != Score(Blob(), ESD(), "it")(cameras(3), pictures(3), moment(4)).total.item()
