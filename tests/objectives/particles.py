"""Pictures of one pixel and one channel, and priors over them: score distillation where all is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from distill3d.camera import turntable
from distill3d.fake import Fake
from distill3d.mixture import log_density, posterior_mean
from distill3d.moment import Moment
from distill3d.objective import Objective
from distill3d.prior import Condition, Prior, noise_from_clean
from distill3d.rendering import Rendering

ALPHA, SIGMA = 0.8, 0.6


@dataclass
class Line(Prior):
    """N(mean, spread²) over pictures of one number, at one noise level; the null prompt means `null_mean`."""

    mean: float = 0.7
    spread: float = 1.5
    null_mean: float = 0.0

    def encode(self, rgb):
        return rgb[..., :1]

    def noise(self, noisy, t, condition):
        alpha, sigma = self.alpha_sigma(t)
        centre = torch.tensor([[self.mean if condition.prompt else self.null_mean]], dtype=noisy.dtype)
        clean = posterior_mean(noisy.flatten(1), centre, alpha, sigma, spread=self.spread)
        return noise_from_clean(clean.reshape(noisy.shape), noisy, alpha, sigma)

    def log_density(self, noisy, t, condition):
        alpha, sigma = self.alpha_sigma(t)
        centre = torch.tensor([[self.mean if condition.prompt else self.null_mean]], dtype=noisy.dtype)
        return log_density(noisy.flatten(1), centre, alpha, sigma, spread=self.spread)

    def joint_noise(self, noisy, t, condition):
        return self.noise(noisy, t, condition)

    def alpha_sigma(self, t):
        return torch.full_like(t, ALPHA), torch.full_like(t, SIGMA)


@dataclass
class CosineLine(Line):
    """The same at the noise levels of the cosine schedule."""

    def alpha_sigma(self, t):
        return Prior.alpha_sigma(self, t)


@dataclass
class Bell(Fake):
    """A scene whose pictures are N(centre, width²), known exactly."""

    centre: float = 0.0
    width: float = 1.0

    def learn(self, rendering, prior, condition, moment):
        pass

    def noise(self, p, prior, condition):
        alpha, sigma = p.alpha[:, None, None, None], p.sigma[:, None, None, None]
        return sigma * (p.x_t - alpha * self.centre) / (alpha**2 * self.width**2 + sigma**2)

    def log_density(self, p, prior, condition):
        centre = torch.tensor([[self.centre]], dtype=p.x_t.dtype)
        return log_density(p.x_t.flatten(1), centre, p.alpha, p.sigma, spread=self.width)


def as_rendering(x: torch.Tensor) -> Rendering:
    """Particles [B] as opaque pictures [B, 1, 1]."""
    return Rendering(x.reshape(-1, 1, 1, 1).expand(-1, 1, 1, 3), torch.ones(len(x), 1, 1, 1))


VIEWS = 1024


def one_scene(count: int) -> Condition:
    """The particles are pictures of one scene by so many cameras."""
    return Condition("it", cameras=turntable(VIEWS, width=1, height=1)[torch.arange(count) % VIEWS])


def bell(count: int, *, mean: float = -1.0, deviation: float = 0.8) -> torch.Tensor:
    """Particles [B] that stand at the quantiles of a normal distribution."""
    return mean + deviation * 2**0.5 * torch.erfinv(torch.linspace(-1, 1, count + 2)[1:-1])


MANY_SCENES = Condition("it")
"""The particles are many scenes, seen by one camera that nothing has to be said about."""


def gradient_of(objective: Objective, x: torch.Tensor, prior: Prior, condition: Condition, *, seed: int = 3):
    """One gradient at particles [B], under a known randomness."""
    moment = Moment(1, 2, torch.Generator().manual_seed(seed))
    rendering = as_rendering(x)
    objective.learn(rendering, prior, condition, moment)
    return objective.gradient(prior.show(rendering, condition), prior, condition, moment)


def falling(rate: float, steps: int) -> list[float]:
    """Rates from `rate` evenly down to nothing: as far as with half of it all along, and then at rest."""
    return [rate * (1 - number / steps) for number in range(steps)]


def descend_particles(
    objective: Objective,
    prior: Prior,
    x: torch.Tensor,
    *,
    rates: Sequence[float],
    seed: int = 0,
    condition: Condition = MANY_SCENES,
) -> torch.Tensor:
    """Gradient descent of free particles [B] by an objective, with a step for each rate."""
    generator = torch.Generator().manual_seed(seed)
    for number, rate in enumerate(rates, 1):
        moment = Moment(number, len(rates), generator)
        rendering = as_rendering(x)
        objective.learn(rendering, prior, condition, moment)
        g = objective.gradient(prior.show(rendering, condition), prior, condition, moment)
        x = x - rate * g.flatten()
    return x
