"""Classifier Score Matching. After TV-3DG, Yang et al. 2024 (arXiv 2410.21299).

g = w(t) s (ε_c(x_t; y, v, t) - ε_u(x_t, t)),   x_t from x by DDIM inversion with the null prompt,   w = σ_t²

Of the paper the abstract was read: it drops the difference term of interval methods and adds no fresh noise.
From that is inferred the direction of CSD at the point of ISM. Its visual prompt v is a picture of the object
that the prior sees beside the words (VPCSM); how, is the prior's affair: an adapter of its attention, as in
the paper, or a posterior in closed form. The null prompt is without it. The paper's semantic-geometry
calibration is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d import visual_prompt
from distill3d.moment import Moment
from distill3d.noised import inverted
from distill3d.objective import Objective, at_least_one
from distill3d.prior import Condition, Prior, per_picture, told_and_null


@dataclass
class CSM(Objective):
    """After TV-3DG: the direction of guidance alone, where DDIM inversion leads."""

    PUBLISHED: ClassVar = {"guidance": 7.5, "t_first": (0.02, 0.98), "t_last": (0.02, 0.5)}
    COMPARES: ClassVar = True

    guidance: Annotated[float, "s: scale of the direction"] = 7.5
    hops: Annotated[int, "steps of the inversion"] = 5
    picture: Annotated[
        str | None, "file with a picture of the object, shown to the prior beside the words"
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one("hops", self.hops)
        self.visual = None if self.picture is None else visual_prompt.from_file(self.picture)

    def check(self, prior: Prior) -> None:
        super().check(prior)
        if self.visual is not None:
            prior.check_visual(self.visual)

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The classifier's score at the inverted point."""
        p = inverted(x, prior, condition, self.times(moment, len(x)), steps=self.hops, guidance=0.0)
        told, null = told_and_null(prior, p.x_t, p.t, condition.showing(self.visual))
        return per_picture(p.sigma**2, x) * self.guidance * (told - null)
