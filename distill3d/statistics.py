"""Estimates with confidence intervals: rates (Wilson), means (Student's t), anything else (bootstrap)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student_t


@dataclass(frozen=True)
class Estimate:
    """A number with the interval that covers the truth in `confidence` of all repetitions."""

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def __format__(self, spec: str) -> str:
        """`f"{estimate:.1f}"` gives "23.4 [22.9, 23.9]"; two decimals when nothing is said."""
        spec = spec or ".2f"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        return format(self, "")


def rate(successes: int, trials: int, *, confidence: float = 0.95) -> Estimate:
    """A rate of independent successes, with Wilson's score interval.

    Good for few trials and for rates of 0 and 1, where the usual normal interval has no width.
    Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22, 1927.
    """
    _check_confidence(confidence)
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(
            f"{successes} successes in {trials} trials is no rate; expected 0 <= successes <= trials > 0"
        )
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / trials
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    return Estimate(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)), confidence)


def mean(values: Sequence[float] | Float[np.ndarray, " n"], *, confidence: float = 0.95) -> Estimate:
    """The mean of independent, roughly normal values, with Student's t interval.

    For a paired comparison over seeds, give it the differences. One value alone has an infinite interval.
    """
    _check_confidence(confidence)
    sample = _sample(values)
    average = float(sample.mean())
    if len(sample) == 1:
        return Estimate(average, -math.inf, math.inf, confidence)
    error = float(sample.std(ddof=1)) / math.sqrt(len(sample))
    half = float(student_t.ppf((1 + confidence) / 2, len(sample) - 1)) * error
    return Estimate(average, average - half, average + half, confidence)


def bootstrap(
    values: Sequence[float] | Float[np.ndarray, " n"],
    statistic: Callable[[np.ndarray], np.ndarray] = lambda samples: np.median(samples, axis=-1),
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Any statistic of independent values, with the percentile interval of its seeded bootstrap.

    `statistic` maps samples [..., n] to [...]; the median when not given. The interval is too narrow for
    fewer than about ten values. Source: Efron, Bootstrap Methods, Annals of Statistics 7, 1979.
    """
    _check_confidence(confidence)
    sample = _sample(values)
    chosen = np.random.default_rng(seed).integers(len(sample), size=(resamples, len(sample)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistic(sample[chosen]), [tail, 1 - tail])
    return Estimate(float(statistic(sample)), float(low), float(high), confidence)


def _sample(values: Sequence[float] | Float[np.ndarray, " n"]) -> np.ndarray:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0 or not np.isfinite(sample).all():
        raise ValueError(
            f"expected a flat list of at least one finite number, got {values!r:.80}; "
            "drop failed runs first and say how many"
        )
    return sample


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1; 0.95 is usual")
