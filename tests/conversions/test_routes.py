"""Routes: every pair has one, with its reason; lessons that follow each other share a run."""

from __future__ import annotations

import itertools

import pytest
import torch

from distill3d.bench.convert import KINDS
from distill3d.camera import orbit
from distill3d.conversion import InTurn
from distill3d.conversions.routes import ROUTES, route
from distill3d.distill import Loss, Told
from distill3d.errors import UserError
from distill3d.moment import Moment
from distill3d.scene import Scene


@pytest.mark.parametrize(("source", "target"), list(itertools.product(KINDS, KINDS)))
def test_every_pair_has_a_route_with_a_reason(source: str, target: str) -> None:
    found = route(source, target)
    assert found.reason and (found.lessons or found.name in ("start", "extract"))
    assert (found.name == "extract") == (target == "mesh")


def test_all_routes_of_a_pair_can_be_forced_and_no_others() -> None:
    assert route("gaussians", "vm").name == "volume+render"
    for name in ("volume", "render", "volume+render", "start"):
        assert route("gaussians", "vm", name).name == name
    with pytest.raises(UserError, match="no route volume from vm to surfels; expected render or start"):
        route("vm", "surfels", "volume")
    assert len(ROUTES) == 9 and all(len({r.name for r in known}) == len(known) for known in ROUTES.values())


def test_the_same_kind_again_says_so() -> None:
    assert "same kind" in route("vm", "vm").reason and "--to.count" in route("surfels", "surfels").reason


class Noting:
    """A lesson that notes when it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def __call__(self, student, moment):
        self.seen.append((moment.number, moment.steps))
        return Told(Loss(torch.tensor(1.0)), orbit(torch.zeros(1), 0.0, width=1, height=1))

    def state_dict(self):
        return {"seen": len(self.seen)}

    def load_state_dict(self, state):
        self.loaded = state


def test_lessons_in_turn_each_have_a_run_of_their_own() -> None:
    first, second = Noting(), Noting()
    lessons = InTurn([(0.4, 1.0, first), (1.0, 5.0, second)])
    generator = torch.Generator().manual_seed(0)
    moments = [Moment(i, 10, generator) for i in range(1, 11)]
    losses = [float(lessons(Scene(), moment).loss.total) for moment in moments]
    assert losses == [1.0] * 4 + [5.0] * 6
    assert first.seen == [(i, 4) for i in range(1, 5)] and second.seen == [(i, 6) for i in range(1, 7)]
    lessons.load_state_dict(lessons.state_dict())
    assert first.loaded == {"seen": 4} and second.loaded == {"seen": 6}


@pytest.mark.parametrize(("steps", "of_the_first"), [(4, 2), (6, 3), (10, 3)])
def test_a_lesson_before_the_last_may_have_a_longest_time(steps: int, of_the_first: int) -> None:
    first, second = Noting(), Noting()
    lessons = InTurn([(0.5, 1.0, first), (1.0, 1.0, second)], longest=3)
    generator = torch.Generator().manual_seed(0)
    for i in range(steps):
        lessons(Scene(), Moment(i + 1, steps, generator))
    left = steps - of_the_first
    assert first.seen == [(i + 1, of_the_first) for i in range(of_the_first)]
    assert second.seen == [(i + 1, left) for i in range(left)]
