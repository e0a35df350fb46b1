"""The progress map: how far each primitive of the student has come to show what its source shows there.

What is compared with the source's picture t is a mixture of it and of the student's picture s,

I = A s + (1 − A) t,   A = Σ w a + 1 − Σ w,

with a weight a for each primitive, drawn like a colour (Ye et al. 2024, Progressive Radiance Distillation,
arXiv 2408.07595, made general). So the student is spared what it cannot hold, and does not spoil the rest for
it. The weights are learned beside it: they descend

Σ w (a² |s − t|² / τ² + (1 − a)²)

over all pixels and primitives, which is no less than A² |s − t|² / τ² + (1 − A)² in each pixel. What stays is
a map of confidence: 1 / (1 + |s − t|² / τ²), the error being the mean where the primitive is seen, and ½
where that is the tolerance τ. It is the column `progress` of the student's `extra`, which files keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.distill import Loss, Told, resolution
from distill3d.moment import Moment
from distill3d.rendering import Rendering
from distill3d.representations._primitives import Primitives
from distill3d.scene import Scene
from distill3d.teachers.scene import SceneTeacher

PROGRESS = "progress"
"""The name of the column."""
START = 1.0
"""The weight of what has not been seen."""
SPARED_FROM = 0.75
"""The share of a run after which weights are learned and the mixture is what is compared. Before, the student
is: what has not been learned yet looks like what cannot be, and would never be learned."""
TOLERANCE = 0.1
RATE = 0.1
"""The share of the way to where they want to be that weights go in a step, about, for a primitive of which as
much is seen as of others: many pictures have a say, and each as much as it shows. They go there at once when
it is seen for the first time."""


@dataclass
class Progress:
    """The lesson of a scene teacher with pictures, in which each primitive counts as far as it has come."""

    teacher: SceneTeacher
    views: int
    size: int
    """Side of the pictures in pixels."""
    tolerance: float = TOLERANCE
    """τ: the error of colours and alpha, root mean square, at which a primitive counts half."""
    whole: bool = False
    """Pictures have all of their size from the beginning: the student is no longer rough."""

    def __call__(self, student: Scene, moment: Moment) -> Told:
        if not isinstance(student, Primitives):
            raise TypeError(
                f"given a {type(student).__name__}, expected Gaussians or surfels: only primitives have a "
                "progress each"
            )
        side = self.size if self.whole else resolution(self.size, moment.progress)
        cameras = self.teacher.cameras(moment, views=self.views, width=side, height=side)
        ours = student.render(cameras, want={*student.want(moment), *self.teacher.want})
        seen, parts = ours, dict[str, Tensor]()
        if moment.progress >= SPARED_FROM:
            theirs = self.teacher.truth(cameras)
            seen = mixed(ours, theirs, self._learned(student, cameras, ours.detach(), theirs))
            parts[PROGRESS] = progress_of(student).mean()
        loss = self.teacher(cameras, seen, moment)
        penalty = student.penalty(cameras, ours, moment)
        total = loss.total if penalty is None else loss.total + penalty
        return Told(Loss(total, {**loss.parts, **parts}), cameras, ours)

    def _learned(
        self, student: Primitives, cameras: Cameras, ours: Rendering, theirs: Rendering
    ) -> Float[Tensor, "B H W 1"]:
        """A step of the weights, and A as it was before."""
        difference = torch.cat([ours.rgb - theirs.rgb, ours.alpha - theirs.alpha], -1)
        error = difference.square().mean(-1, keepdim=True) / self.tolerance**2
        a, first = progress_of(student), PROGRESS not in dict(student.extra.named_buffers())
        drawn = student.draw(a[:, None], cameras)
        seen, wrong = student.gather(torch.cat([torch.ones_like(error), error], -1), cameras).unbind(-1)
        wanted = seen / (seen + wrong).clamp_min(1e-12)
        rate = (seen > 0).float() if first else seen / (seen + seen.mean() / RATE).clamp_min(1e-12)
        student.extra.put(PROGRESS, torch.lerp(a, wanted, rate))
        return drawn + 1 - ours.alpha

    def state_dict(self) -> dict[str, Any]:
        """The teacher's; the weights are the student's to keep."""
        return self.teacher.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.teacher.load_state_dict(state)


def progress_of(student: Primitives) -> Float[Tensor, " N"]:
    """The weight of each primitive, in 0 to 1; all alike where none have been learned."""
    known = dict(student.extra.named_buffers()).get(PROGRESS)
    return torch.full_like(student.opacity_logits.detach(), START) if known is None else known


def mixed(ours: Rendering, theirs: Rendering, share: Float[Tensor, "B H W 1"]) -> Rendering:
    """A share of one rendering and the rest of the other, in all channels that both have."""

    def blend(a: Tensor | None, b: Tensor | None) -> Tensor | None:
        return None if a is None or b is None else share * a + (1 - share) * b

    rgb, alpha = (
        share * a + (1 - share) * b for a, b in ((ours.rgb, theirs.rgb), (ours.alpha, theirs.alpha))
    )
    return Rendering(rgb, alpha, blend(ours.depth, theirs.depth), blend(ours.normal, theirs.normal))
