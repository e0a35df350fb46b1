"""Progressive volume distillation: a field teaches a field at points that both are asked about.

Fang et al. 2023, One Is All (arXiv 2211.15977), section 3.3, in three stages:

L1 = f + σ,   L2 = f + σ + c,   L3 = r + w (f + σ + c)

with f, σ, c the errors of features, of logarithms of densities and of colours at points, and r those of the
colours of rays. As in the paper's code they are norms and not squares, so that no stage's gradients are much
smaller than the last one's, which Adam would remember; but means, so that the number of points is no matter.
Errors of densities count at all points, those of the others by how much of a point is seen.

Nothing bounds the logarithm of no density at all, so densities are kept between two limits first: those that
make a step of the march take at least LEAST and at most MOST of the light, which mean the same in a scene of
any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.distill import Loss, Told
from distill3d.field import Field, through_ball
from distill3d.moment import Moment
from distill3d.ops.march import Samples, march
from distill3d.ops.volume import RayImages, composite, selected, transmittance
from distill3d.scene import Scene
from distill3d.teachers.rays import Rays, RaySource

LEAST, MOST = 5e-4, 0.98
"""What a step of the march takes of the light at the limits; about those of PVD, exp(-2) and exp(7), at its
step."""


@dataclass(frozen=True)
class Stage:
    """What counts until some progress of the run, and how much."""

    until: float
    features: float = 0.0
    density: float = 0.0
    colour: float = 0.0
    rays: float = 0.0


STAGED = (
    Stage(0.07, features=1.0, density=1.0),
    Stage(0.25, features=1.0, density=1.0, colour=1.0),
    Stage(1.0, features=1.0, density=1.0, colour=1.0, rays=30.0),
)
"""PVD's stages end at 0.07 and 0.17 of the run."""
JOINT = (Stage(1.0, features=1.0, density=1.0, colour=1.0, rays=30.0),)
"""All at once, as in PVD-AL."""


@dataclass(frozen=True)
class Shared:
    """The points of a step, and what the teacher says of them."""

    samples: Samples
    speeds: Float[Tensor, " R"]
    """Lengths of the rays' directions."""
    d: Float[Tensor, "S 3"]
    """Unit directions of sight."""
    log_density: Float[Tensor, " S"]
    rgb: Float[Tensor, "S 3"]
    features: Float[Tensor, "S D"] | None
    seen: RayImages
    """What the teacher shows along the rays."""


def alike(shared: Shared) -> Float[Tensor, " S"]:
    """All points weigh the same."""
    return torch.ones_like(shared.log_density)


def by_light(shared: Shared) -> Float[Tensor, " S"]:
    """Points weigh as much as they count in what the teacher shows; 1 in the mean.

    Fang et al. 2023, PVD-AL (arXiv 2304.04012), keep the 30 % of a ray's points that count most; nobody sees
    the colour of empty space, so it is a waste to learn it.
    """
    weights = shared.seen.weights.clamp_min(LEAST)
    return weights * (len(weights) / weights.sum().clamp_min(LEAST))


@dataclass
class Volume:
    """The lesson of a field that teaches a field. Which cells are not empty is the teacher's to know."""

    teacher: Field
    rays: RaySource
    stages: Sequence[Stage] = STAGED
    points: Callable[[Shared], Tensor] = by_light
    """How much the errors of features and colours at each point weigh."""
    comparable: bool = False
    """Whether the features of both mean the same: see `conversions.inherited`."""

    def __call__(self, student: Scene, moment: Moment) -> Told:
        if not isinstance(student, Field):
            raise TypeError(f"given a {type(student).__name__} to be taught at points, expected a field")
        stage = next(stage for stage in self.stages if moment.progress <= stage.until)
        rays = self.rays.draw(moment)
        shared = self._shared(student, rays, moment, student_too=stage.rays > 0)
        d = shared.d if student.directional else None
        answer = student.query(shared.samples.points, d)
        parts = self._at_points(student.step, answer, shared)
        if stage.rays > 0:
            errors = _along_rays(answer, shared, moment)
            self.rays.learned(rays, errors.detach().norm(dim=1))
            parts["rays"] = rms(errors)
        total = torch.stack([getattr(stage, name) * part for name, part in parts.items()]).sum()
        return Told(Loss(total, parts), rays.cameras)

    def _at_points(
        self, step: float, answer: tuple[Tensor, Tensor, Tensor | None], shared: Shared
    ) -> dict[str, Tensor]:
        """The errors of features, densities and colours."""
        log_density, rgb, features = answer
        ours, theirs = (within(logarithm, limits(step)) for logarithm in (log_density, shared.log_density))
        weights = self.points(shared).sqrt()[:, None]
        parts = {"density": rms(ours - theirs), "colour": rms(weights * (rgb - shared.rgb))}
        if self.comparable and features is not None and shared.features is not None:
            parts["features"] = rms(weights * (features - shared.features))
        return parts

    @torch.no_grad()
    def _shared(self, student: Field, rays: Rays, moment: Moment, *, student_too: bool) -> Shared:
        """The points that the teacher's light reaches, or also the student's, and the teacher's answers."""
        origins, directions = rays.origins, rays.directions
        near, far = through_ball(origins, directions)
        jitter = moment.uniform(len(origins))
        cells = self.teacher.occupied
        samples = march(origins, directions, cells, step=student.step, near=near, far=far, jitter=jitter)
        speeds = directions.norm(dim=-1)
        fields = (self.teacher, student) if student_too else (self.teacher,)
        light = [transmittance(samples, speeds, f.log_density(samples.points)) for f in fields]
        samples = selected(samples, torch.stack(light).amax(0) > 0)
        d = (directions / speeds[:, None])[samples.rays]
        answer = self.teacher.query(samples.points, d if self.teacher.directional else None)
        return Shared(samples, speeds, d, *answer, composite(samples, speeds, answer[0], answer[1]))

    def state_dict(self) -> dict[str, Any]:
        return self.rays.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rays.load_state_dict(state)


def limits(step: float) -> tuple[float, float]:
    """Logarithms of the densities, per world unit, that take LEAST and MOST of the light in a step."""
    low, high = (math.log(-math.log1p(-alpha) / step) for alpha in (LEAST, MOST))
    return low, high


def within(values: Float[Tensor, " S"], limits: tuple[float, float]) -> Float[Tensor, " S"]:
    """`values` kept between the limits, with their gradients as if they were not.

    A student that is beyond the limit where it should be has no error, and so no gradient anyway. One that is
    beyond the other limit must be pulled back, and the clamp's own gradient, as in PVD's code, is zero there:
    points that are pushed out of the limits early stay lost, all of them if the rate is high.
    """
    return values + (values.clamp(*limits) - values).detach()


def rms(errors: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """The root of the mean square; 0, without gradient, of no errors at all."""
    return errors.square().sum().div(max(errors.numel(), 1)).clamp_min(1e-12).sqrt()


def _along_rays(
    answer: tuple[Tensor, Tensor, Tensor | None], shared: Shared, moment: Moment
) -> Float[Tensor, "R 3"]:
    """Errors of the colours of rays, in front of another random colour each."""
    image = composite(shared.samples, shared.speeds, answer[0], answer[1])
    behind = moment.uniform(len(shared.speeds), 3)
    missing = (shared.seen.alpha - image.alpha)[:, None]
    return image.values - shared.seen.values + missing * behind
