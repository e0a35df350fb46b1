"""Features of primitives from maps of what pictures show: their average, and least squares from there.

With the renderer's W (`lift.operator`), alpha a = W 1, maps Y and how far they are believed c, the features F
should make

    Σ_p c_p a_p |Y_p − (W F)_p / a_p|²

small: a pixel counts by how much of it is seen, and says what is seen of it in the mean. That is where
M F = b, with b = Wᵀ(c Y) and M = Wᵀ diag(c / a) W. As M 1 = Wᵀ c = m, the average b / m lifts what is the
same everywhere as itself, and S = diag(m)⁻¹ M, which leads from features to the average of what they show, is
a stochastic matrix with eigenvalues in [0, 1]: the average is blurred where primitives share pixels, and
nothing else. What was blurred is sought from F₀ = b / m by

    (M + λ diag(m)) Δ = b − M F₀,   F = F₀ + Δ,

by conjugate gradients with diag(m) for a preconditioner. A part of Δ that S blurs to the share μ is restored
to μ / (μ + λ), whatever the number of pictures and their size; with λ = 0 noise is restored too.

The average is that of LUDVIG (Marrie et al. 2025, arXiv 2410.14462) and of others; conjugate gradients are
those of Hestenes and Stiefel 1952.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from distill3d.extractor import FeatureMap
from distill3d.lift.operator import Operator, row_sum

LEAST_SEEN = 1e-6
"""Alpha under which nothing is seen in a pixel."""
LEAST_MASS = 1e-6
"""Pixels under which a primitive has not been seen."""
VIEWS_AT_ONCE = 4


@dataclass
class Evidence:
    """What the maps of the first pictures have said, added up."""

    sums: Float[Tensor, "N D"]
    """b."""
    mass: Float[Tensor, "N 1"]
    """m."""
    energy: Float64[Tensor, ""]
    """Σ c a |Y|²."""
    weight: Float64[Tensor, ""]
    """Σ c a."""
    ratios: Float[Tensor, "V h w 1"]
    """c / a, of the pictures so far."""

    @classmethod
    def none(cls, operator: Operator, channels: int) -> Evidence:
        """Before the first picture."""
        _, height, width, count = operator.shape
        zero = torch.zeros((), dtype=torch.float64)
        return cls(
            torch.zeros(count, channels),
            torch.zeros(count, 1),
            zero,
            zero,
            torch.zeros(0, height, width, 1),
        )

    def add(self, view: Operator, said: FeatureMap) -> None:
        """Take in the next picture's map; `view` is its operator."""
        alpha = row_sum(view)[0]
        seen = alpha > LEAST_SEEN
        c, y = said.believed * seen, said.vectors
        counted = c * alpha
        with_one = torch.cat([c * y, c], -1)
        both = view.rmatvec(with_one[None])
        self.sums = self.sums + both[:, :-1]
        self.mass = self.mass + both[:, -1:]
        self.energy = self.energy + (counted * y.square()).sum(dtype=torch.float64)
        self.weight = self.weight + counted.sum(dtype=torch.float64)
        ratio = torch.where(seen, c / alpha.clamp_min(LEAST_SEEN), 0.0)
        self.ratios = torch.cat([self.ratios, ratio[None]])

    def average(self) -> Float[Tensor, "N D"]:
        """The features b / m; zero where nothing is seen."""
        return self.sums * inverse(self.mass)

    def state_dict(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass
class Refinement:
    """Conjugate gradients on their way from the average."""

    features: Float[Tensor, "N D"]
    """F."""
    change: Float[Tensor, "N D"]
    """Δ."""
    left: Float[Tensor, "N D"]
    """What is left of the equations: b − M F − λ m Δ."""
    direction: Float[Tensor, "N D"]

    @classmethod
    def begin(cls, normal: Callable[[Tensor], Tensor], evidence: Evidence) -> Refinement:
        """At the average; `normal` is M."""
        average = evidence.average()
        left = evidence.sums - normal(average)
        return cls(average, torch.zeros_like(average), left, left * inverse(evidence.mass))

    def step(self, normal: Callable[[Tensor], Tensor], mass: Tensor, damping: float) -> None:
        """One step for every channel, each of which has equations of its own."""
        weight = inverse(mass)
        before = _dot(self.left, weight * self.left)
        image = normal(self.direction) + damping * mass * self.direction
        length = _share(before, _dot(self.direction, image))
        self.change = self.change + length * self.direction
        self.features = self.features + length * self.direction
        self.left = self.left - length * image
        after = _dot(self.left, weight * self.left)
        self.direction = weight * self.left + _share(after, before) * self.direction

    def residual(self, evidence: Evidence, damping: float) -> float:
        """Mean square of the distance from maps to what is drawn, Σ c a |Y − W F / a|² / Σ c a.

        Worked out from what is known: energy − F·b − F·(b − M F).
        """
        undamped = self.left + damping * evidence.mass * self.change
        total = evidence.energy - (self.features.double() * (evidence.sums + undamped).double()).sum()
        return float((total / evidence.weight.clamp_min(1e-12)).clamp_min(0))

    def state_dict(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def normal_of(operator: Operator, ratios: Float[Tensor, "V h w 1"]) -> Callable[[Tensor], Tensor]:
    """M, a few pictures at a time."""

    def normal(features: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        total = torch.zeros_like(features)
        for first in range(0, len(ratios), VIEWS_AT_ONCE):
            some = slice(first, first + VIEWS_AT_ONCE)
            views = operator[some]
            total += views.rmatvec(ratios[some] * views.matvec(features))
        return total

    return normal


def disagreement(view: Operator, features: Float[Tensor, "N D"], said: FeatureMap) -> float:
    """How far a picture's map is from what features show of it: the residual of that picture alone."""
    drawn = view.matvec(torch.cat([features, torch.ones(len(features), 1)], -1))[0]
    alpha = drawn[..., -1:]
    counted = said.believed * alpha * (alpha > LEAST_SEEN)
    error = said.vectors - drawn[..., :-1] / alpha.clamp_min(LEAST_SEEN)
    return float((counted * error.square()).sum() / counted.sum().clamp_min(1e-12))


def inverse(mass: Float[Tensor, "N 1"]) -> Float[Tensor, "N 1"]:
    """1 / m, and 0 for what has not been seen."""
    return torch.where(mass > LEAST_MASS, 1 / mass.clamp_min(LEAST_MASS), 0.0)


def _dot(a: Tensor, b: Tensor) -> Float64[Tensor, " D"]:
    """The inner product of each channel."""
    return (a * b).sum(0, dtype=torch.float64)


def _share(a: Float64[Tensor, " D"], b: Float64[Tensor, " D"]) -> Float[Tensor, " D"]:
    """The quotient a / b; 0 where there is nothing left to do."""
    return torch.where(b > 0, a / b.clamp_min(1e-300), 0.0).float()
