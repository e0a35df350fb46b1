"""The progress map: how far each primitive of the student has come to show what its source shows there.

What is compared with the source's picture t is a mixture of it and of the student's picture s,

I = A s + (1 − A) t,   A = Σ w a + 1 − Σ w,

with a weight a for each primitive, drawn like a colour (Ye et al. 2024, Progressive Radiance Distillation,
arXiv 2408.07595, made general). So the student is spared what it cannot hold, and does not spoil the rest for
it. The weights are learned beside it: they descend

Σ w (a² |s − t|² / τ² + (1 − a)²)

over all pixels and primitives, which is no less than A² |s − t|² / τ² + (1 − A)² in each pixel. What stays is
a map of confidence: 1 / (1 + |s − t|² / τ²), the error being the mean where the primitive is seen, and ½
where that is the tolerance τ. It is the column `confidence` of the student's `extra`, which PLY files keep.
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
from distill3d.ops.splat import splat
from distill3d.ops.surfels import surfels
from distill3d.rendering import Rendering
from distill3d.representations._primitives import Primitives
from distill3d.representations.gaussians import Gaussians
from distill3d.scene import Scene
from distill3d.teachers.scene import SceneTeacher

CONFIDENCE = "confidence"
START = 1.0
SPARED_FROM = 0.5
"""The share of a run after which the mixture is what is compared. Before, the student is: what has not been
learned yet looks like what cannot be, and would never be learned."""
RATE = 0.1
"""The share of the way to where they want to be that weights go in a step, about, for a primitive of which as
much is seen as of others: many pictures have a say, and each as much as it shows."""


@dataclass
class Progress:
    """The lesson of a scene teacher with pictures, in which each primitive counts as far as it has come."""

    teacher: SceneTeacher
    views: int
    size: int
    """Side of the pictures in pixels."""
    tolerance: float = 0.1
    """τ: the error of colours and alpha, root mean square, at which a primitive counts half."""

    def __call__(self, student: Scene, moment: Moment) -> Told:
        if not isinstance(student, Primitives):
            raise TypeError(
                f"given a {type(student).__name__}, expected Gaussians or surfels: only primitives have a "
                "progress each"
            )
        side = resolution(self.size, moment.progress)
        cameras = self.teacher.cameras(moment, views=self.views, width=side, height=side)
        ours = student.render(cameras, want={*student.want(moment), *self.teacher.want})
        theirs = self.teacher.truth(cameras)
        share = self._learned(student, cameras, ours.detach(), theirs)
        seen = mixed(ours, theirs, share) if moment.progress >= SPARED_FROM else ours
        loss = self.teacher(cameras, seen, moment)
        penalty = student.penalty(cameras, ours, moment)
        total = loss.total if penalty is None else loss.total + penalty
        parts = {**loss.parts, CONFIDENCE: confidence(student).mean()}
        return Told(Loss(total, parts), cameras, ours)

    def _learned(
        self, student: Primitives, cameras: Cameras, ours: Rendering, theirs: Rendering
    ) -> Float[Tensor, "B H W 1"]:
        """A step of the weights, and A as it was before."""
        difference = torch.cat([ours.rgb - theirs.rgb, ours.alpha - theirs.alpha], -1)
        error = difference.square().mean(-1, keepdim=True) / self.tolerance**2
        with torch.enable_grad():
            a = confidence(student).clone().requires_grad_()
            share = spread(student, a, cameras) + 1 - ours.alpha
            (seen,) = torch.autograd.grad(share.sum(), a, retain_graph=True)
            (wrong,) = torch.autograd.grad((share * error).sum(), a)
        wanted = seen / (seen + wrong).clamp_min(1e-12)
        rate = seen / (seen + seen.mean() / RATE).clamp_min(1e-12)
        student.extra.put(CONFIDENCE, torch.lerp(a.detach(), wanted, rate))
        return share.detach()

    def state_dict(self) -> dict[str, Any]:
        """The teacher's; the weights are the student's to keep."""
        return self.teacher.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.teacher.load_state_dict(state)


def confidence(student: Primitives) -> Float[Tensor, " N"]:
    """The weight of each primitive, in 0 to 1; all alike where none have been learned."""
    known = dict(student.extra.named_buffers()).get(CONFIDENCE)
    return torch.full_like(student.opacity_logits.detach(), START) if known is None else known


def mixed(ours: Rendering, theirs: Rendering, share: Float[Tensor, "B H W 1"]) -> Rendering:
    """A share of one rendering and the rest of the other, in all channels that both have."""

    def blend(a: Tensor | None, b: Tensor | None) -> Tensor | None:
        return None if a is None or b is None else share * a + (1 - share) * b

    rgb, alpha = (
        share * a + (1 - share) * b for a, b in ((ours.rgb, theirs.rgb), (ours.alpha, theirs.alpha))
    )
    return Rendering(rgb, alpha, blend(ours.depth, theirs.depth), blend(ours.normal, theirs.normal))


def spread(student: Primitives, values: Float[Tensor, " N"], cameras: Cameras) -> Float[Tensor, "B H W 1"]:
    """Σ w v: values of primitives drawn like colours; differentiable in the values alone."""
    draw = splat if isinstance(student, Gaussians) else surfels
    scales, opacity = student.log_scales.detach().exp(), student.opacity_logits.detach().sigmoid()
    where = student.means.detach(), student.wxyz.detach(), scales, opacity
    return draw(*where, values[:, None], cameras).colours
