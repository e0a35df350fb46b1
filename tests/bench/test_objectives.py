"""What a step costs, taken apart."""

from __future__ import annotations

import time

import pytest
import torch

from distill3d.bench.objectives import Objectives, Spent, Stopwatch, counted, middle
from distill3d.objectives.uni import Uni
from distill3d.prior import Prior


def test_a_stopwatch_counts_what_is_called_inside_once() -> None:
    watch = Stopwatch()
    inner = watch.timed(lambda: time.sleep(0.02))
    outer = watch.timed(lambda: (inner(), inner()))
    begun = time.perf_counter()
    outer()
    whole = time.perf_counter() - begun
    assert 0.04 <= watch.taken() <= whole and watch.taken() == 0


def test_a_methods_own_share_is_what_is_left_of_its_networks_and_the_rendering() -> None:
    spent = Spent(whole=1.0, networks=0.5, teaching=0.6)
    assert spent.rendering == pytest.approx(0.4) and spent.own_share == pytest.approx(0.1 / 0.9)


def test_the_step_that_counts_is_the_middle_one_by_its_own_share_and_not_by_its_length() -> None:
    shares = (0.3, 0.1, 0.0, 0.2, 0.9)
    found = [Spent(whole=1.0 + n, networks=0.0, teaching=own * (1 + n)) for n, own in enumerate(shares)]
    assert middle(found).teaching / middle(found).whole == pytest.approx(0.2)
    assert middle(found[:4]).teaching / middle(found[:4]).whole == pytest.approx(0.1)


def test_what_is_watched_is_as_before_afterwards() -> None:
    prior, method, derivative = Prior(), Uni(), torch.autograd.grad
    with counted(Stopwatch(), prior, method):
        assert torch.autograd.grad is not derivative and "noise" in vars(prior) and "learn" in vars(method.q)
    assert torch.autograd.grad is derivative and "noise" not in vars(prior) and "learn" not in vars(method.q)


def test_a_row_for_each_method_and_a_verdict() -> None:
    bench = Objectives(methods="sds,uni", prompt="a red ball", steps=1, views=1, size=12)
    rows = list(bench.lines())
    assert [row.split()[0] for row in rows[2:4]] == ["sds", "uni"] and rows[-1].startswith("over 10%: ")
    found = [Spent(**record["outcome"]) for record in bench.results.records]
    assert all(0 < spent.networks < spent.teaching < spent.whole for spent in found)
    assert list(bench.lines()) == rows, "what was measured is not measured again"


@pytest.mark.parametrize(("options", "sentence"), [({"jobs": 2}, "jobs is 2"), ({"steps": 0}, "steps is 0")])
def test_options_that_mean_nothing_are_refused(options: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Objectives(**options)
