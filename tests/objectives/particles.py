"""Pictures of one pixel and one channel, and priors over them: score distillation where all is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from distill3d.camera import turntable
from distill3d.mixture import posterior_mean
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

    def alpha_sigma(self, t):
        return torch.full_like(t, ALPHA), torch.full_like(t, SIGMA)


def as_rendering(x: torch.Tensor) -> Rendering:
    """Particles [B] as opaque pictures [B, 1, 1]."""
    return Rendering(x.reshape(-1, 1, 1, 1).expand(-1, 1, 1, 3), torch.ones(len(x), 1, 1, 1))


VIEWS = 1024


def one_scene(count: int) -> Condition:
    """The particles are pictures of one scene by so many cameras."""
    return Condition("it", cameras=turntable(VIEWS, width=1, height=1)[torch.arange(count) % VIEWS])


MANY_SCENES = Condition("it")
"""The particles are many scenes, seen by one camera that nothing has to be said about."""


def descend_particles(
    objective: Objective,
    prior: Prior,
    x: torch.Tensor,
    *,
    rate: float,
    steps: int,
    seed: int = 0,
    condition: Condition = MANY_SCENES,
) -> torch.Tensor:
    """Gradient descent of free particles [B] by an objective."""
    generator = torch.Generator().manual_seed(seed)
    for number in range(1, steps + 1):
        moment = Moment(number, steps, generator)
        rendering = as_rendering(x)
        objective.learn(rendering, prior, condition, moment)
        g = objective.gradient(prior.show(rendering, condition), prior, condition, moment)
        x = x - rate * g.flatten()
    return x
