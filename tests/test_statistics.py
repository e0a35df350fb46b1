from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill3d.statistics import Estimate, bootstrap, mean, rate


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_ends_solve_the_score_equation(counts):
    """An inner end p of the interval is where the observed rate is exactly z standard errors (of p) away."""
    successes, trials = counts
    interval = rate(successes, trials)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    for end in (interval.low, interval.high):
        if 0 < end < 1 and end != interval.value:
            score = abs(interval.value - end) / math.sqrt(end * (1 - end) / trials)
            assert score == pytest.approx(1.959964, rel=1e-4)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_does_not_care_what_is_called_success(counts):
    successes, trials = counts
    one, other = rate(successes, trials), rate(trials - successes, trials)
    assert one.low == pytest.approx(1 - other.high, abs=1e-12)
    assert one.high == pytest.approx(1 - other.low, abs=1e-12)


@pytest.mark.parametrize(("successes", "trials", "text"), [
    (7, 8, "0.88 [0.53, 0.98]"),
    (0, 10, "0.00 [0.00, 0.28]"),
    (10, 10, "1.00 [0.72, 1.00]"),
    (50, 100, "0.50 [0.40, 0.60]"),
])  # fmt: skip
def test_known_rates(successes, trials, text):
    assert str(rate(successes, trials)) == text


@pytest.mark.parametrize("truth", [0.1, 0.5, 0.9])
def test_wilson_covers(truth):
    """Exact coverage at n = 20, summed over the binomial, stays near the nominal 95 %."""
    covered = sum(
        math.comb(20, k) * truth**k * (1 - truth) ** (20 - k)
        for k in range(21)
        if rate(k, 20).low <= truth <= rate(k, 20).high
    )
    assert 0.92 < covered < 0.99


def test_t_interval_by_hand():
    """1 … 5: mean 3, standard error sqrt(2.5 / 5), t(0.975, 4) = 2.776445."""
    interval = mean([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * math.sqrt(0.5)
    assert (interval.value, interval.low, interval.high) == pytest.approx((3, 3 - half, 3 + half))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20), st.floats(0.1, 10), st.floats(-100, 100))
def test_t_interval_moves_and_scales_with_its_values(values, scale, shift):
    before, after = mean(values), mean([scale * v + shift for v in values])
    for name in ("value", "low", "high"):
        assert getattr(after, name) == pytest.approx(scale * getattr(before, name) + shift, abs=1e-6)


def test_one_value_says_nothing_about_its_error():
    assert mean([2.5]) == Estimate(2.5, -math.inf, math.inf)


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_t_interval_covers(confidence):
    samples = np.random.default_rng(1).normal(3, 2, size=(2000, 6))
    covered = np.mean([i.low <= 3 <= i.high for i in (mean(s, confidence=confidence) for s in samples)])
    assert covered == pytest.approx(confidence, abs=4 * math.sqrt(confidence * (1 - confidence) / 2000))


def test_bootstrap_of_the_mean_agrees_with_t_for_many_values():
    values = np.random.default_rng(2).normal(size=400).tolist()
    by_t, by_bootstrap = mean(values), bootstrap(values, lambda samples: samples.mean(-1), resamples=4000)
    width = by_t.high - by_t.low
    assert by_bootstrap.value == pytest.approx(by_t.value)
    assert by_bootstrap.low == pytest.approx(by_t.low, abs=0.05 * width)
    assert by_bootstrap.high == pytest.approx(by_t.high, abs=0.05 * width)


def test_bootstrap_covers_the_median():
    """Of 200 samples of 30 exponentials; the percentile interval of a median covers 93 to 96 % in theory."""
    samples = np.random.default_rng(3).exponential(size=(200, 30))
    intervals = [bootstrap(s, resamples=400) for s in samples.tolist()]
    assert 0.89 < np.mean([i.low <= math.log(2) <= i.high for i in intervals]) <= 0.99


def test_bootstrap_repeats_with_its_seed():
    values = [float(i) ** 1.5 for i in range(12)]
    assert bootstrap(values, seed=5) == bootstrap(values, seed=5)
    assert bootstrap(values, lambda s: s.mean(-1), seed=5) != bootstrap(values, lambda s: s.mean(-1), seed=6)


def test_format_takes_decimals():
    assert f"{Estimate(23.44, 22.9, 23.91):.1f}" == "23.4 [22.9, 23.9]"


@pytest.mark.parametrize("call", [
    lambda: rate(3, 2),
    lambda: rate(0, 0),
    lambda: rate(-1, 4),
    lambda: rate(1, 2, confidence=95.0),
    lambda: mean([]),
    lambda: mean([1.0, math.nan]),
    lambda: bootstrap([], seed=0),
])  # fmt: skip
def test_nonsense_is_a_sentence(call):
    with pytest.raises(ValueError, match=r"^[^\n]{30,}$"):
        call()
