"""Particles in the plane under a mixture of Gaussians: score distillation where every mode is known.

A particle is a picture of one pixel whose first two channels are its place. Many particles descend together
by a method's gradient, as the pictures of a scene do, and are then counted by the nearest mode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import turntable
from distill3d.mixture import log_density, posterior_mean
from distill3d.moment import Moment
from distill3d.objective import Objective
from distill3d.prior import Condition, Prior, noise_from_clean
from distill3d.rendering import Rendering

INLIER = 4.0  # standard deviations
LEAST_NOISE, MOST_NOISE = 0.05, 2.0
FIRST_RATE, LAST_RATE = 0.4, 0.05


@dataclass(frozen=True)
class World:
    """Modes of equal, round spread, and how much of all pictures each one holds."""

    centres: Float[Tensor, "K 2"]
    shares: Float[Tensor, " K"]
    spread: float
    """S, the standard deviation of a mode along each axis."""


def ring() -> World:
    """Eight equal modes on a circle of radius 2."""
    angles = torch.arange(8) * (2 * math.pi / 8)
    return World(2 * torch.stack([angles.cos(), angles.sin()], -1), torch.full((8,), 1 / 8), 0.15)


def uneven() -> World:
    """Three modes that hold a half, a third and a sixth."""
    return World(
        torch.tensor([[-0.9, 0.6], [0.9, 0.5], [0.0, -0.9]]), torch.tensor([3 / 6, 2 / 6, 1 / 6]), 0.2
    )


WORLDS = {"ring": ring, "uneven": uneven}


class Plane(Prior):
    """The exact score of a world; its null prompt means a wide Gaussian around them all."""

    def __init__(self, world: World) -> None:
        self.world = world

    def encode(self, rgb: Float[Tensor, "B H W 3"]) -> Float[Tensor, "B H W 2"]:
        return rgb[..., :2]

    def alpha_sigma(self, t: Float[Tensor, "B"]) -> tuple[Float[Tensor, "B"], Float[Tensor, "B"]]:
        """σ / α geometric in t, from a third of a mode to all of the world: no scale is noised more often."""
        ratio = LEAST_NOISE * (MOST_NOISE / LEAST_NOISE) ** t
        alpha = (1 + ratio**2).rsqrt()
        return alpha, ratio * alpha

    def noise(
        self, noisy: Float[Tensor, "B H W 2"], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B H W 2"]:
        centres, shares, spread = self._mixture(condition)
        alpha, sigma = self.alpha_sigma(t)
        clean = posterior_mean(
            noisy.flatten(1), centres, alpha, sigma, spread=spread, log_weights=shares.log()[None]
        )
        return noise_from_clean(clean.reshape(noisy.shape), noisy, alpha, sigma)

    def log_density(
        self, noisy: Float[Tensor, "B H W 2"], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B"]:
        centres, shares, spread = self._mixture(condition)
        alpha, sigma = self.alpha_sigma(t)
        return log_density(
            noisy.flatten(1), centres, alpha, sigma, spread=spread, log_weights=shares.log()[None]
        )

    def _mixture(self, condition: Condition) -> tuple[Tensor, Tensor, float]:
        world = self.world
        if condition.prompt is not None:
            return world.centres, world.shares, world.spread
        return torch.zeros(1, 2), torch.ones(1), float(world.centres.square().sum(-1).mean().sqrt())


@dataclass(frozen=True)
class Spread:
    """How a method's particles lie in a world."""

    coverage: float
    """Share of the modes in which there is a particle."""
    inliers: float
    """Share of the particles within INLIER spreads of their mode's centre."""
    variance_ratio: float
    """Mean squared deviation of the inliers from their mode's centre, over the mode's own; 1 is right."""
    mass_error: float
    """Total variation between the shares of the particles and those of the modes, 0 to 1."""


def spread_of(x: Float[Tensor, "N 2"], world: World) -> Spread:
    """Every particle counts for the mode it is nearest to."""
    squared = (x[:, None] - world.centres).square().sum(-1)
    nearest, mode = squared.min(-1)
    near = nearest < (INLIER * world.spread) ** 2
    counts = torch.bincount(mode[near], minlength=len(world.shares))
    shares = torch.bincount(mode, minlength=len(world.shares)) / len(x)
    return Spread(
        coverage=(counts > 0).float().mean().item(),
        inliers=near.float().mean().item(),
        variance_ratio=(nearest[near].mean() / (2 * world.spread**2)).item() if near.any() else 0.0,
        mass_error=0.5 * (shares - world.shares).abs().sum().item(),
    )


def started(world: World, start: str, count: int, seed: int) -> Float[Tensor, "N 2"]:
    """Particles everywhere (a Gaussian as wide as the world), or all in its first mode."""
    drawn = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    if start == "one mode":
        return world.centres[0] + world.spread * drawn
    return drawn * float(world.centres.square().sum(-1).mean().sqrt())


@torch.no_grad()
def descended(
    objective: Objective, world: World, x: Float[Tensor, "N 2"], *, steps: int, seed: int, one_scene: bool
) -> Float[Tensor, "N 2"]:
    """The particles after gradient descent by a method, at a rate that falls geometrically.

    one_scene: they are pictures of one scene by as many cameras, and not of as many scenes by one camera.
    """
    prior, generator = Plane(world), torch.Generator().manual_seed(seed)
    cameras = turntable(len(x), width=1, height=1) if one_scene else None
    condition = Condition("it", cameras=cameras)
    opaque = torch.ones(len(x), 1, 1, 1)
    for number in range(1, steps + 1):
        moment = Moment(number, steps, generator)
        rendering = Rendering(torch.nn.functional.pad(x, (0, 1))[:, None, None], opaque)
        objective.learn(rendering, prior, condition, moment)
        g = objective.gradient(prior.show(rendering, condition), prior, condition, moment)
        x = x - FIRST_RATE * (LAST_RATE / FIRST_RATE) ** moment.progress * g[:, 0, 0]
    return x
