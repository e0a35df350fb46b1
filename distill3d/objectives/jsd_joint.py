"""Joint Score Distillation. After JointDreamer, Jiang et al. 2024 (arXiv 2407.12291).

g = w(t) (ε̂(x_t; y, t) - ε + k (ε_joint(x_t^1 ... x_t^V; y, t) - ε)),   w(t) = σ_t²

SDS sees one picture at a time; the joint term sees all pictures of a step, as views of one object, and pulls
them to agree. Of the paper the abstract and the program's notes were read: there the term is the gradient of
an energy of coherence, for which a prior of many views is one of the choices; here it is that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d.errors import UserError
from distill3d.moment import Moment
from distill3d.noised import perturb
from distill3d.objective import Guided
from distill3d.prior import Condition, Prior, per_picture


@dataclass
class JSDJoint(Guided):
    """After JointDreamer: SDS, and a prior of many views that pulls all pictures to agree."""

    PUBLISHED: ClassVar = {"guidance": 7.5, "t_first": (0.02, 0.98), "t_last": (0.02, 0.5)}

    joint: Annotated[float, "k: weight of the prior of many views"] = 5.0

    def check(self, prior: Prior) -> None:
        super().check(prior)
        if type(prior).joint_noise is Prior.joint_noise:
            raise UserError(
                f"--method jsd_joint needs a prior of many views and {type(prior).__name__.lower()} knows "
                "single ones; use --prior exact, or --method sds"
            )

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The gradient above; one noise level for all views."""
        t = self.times(moment, 1).expand(len(x))
        p = perturb(x, prior, t, moment)
        alone = self.predicted(prior, p, condition) - p.noise
        together = prior.joint_noise(p.x_t, p.t, condition) - p.noise
        return per_picture(p.sigma**2, x) * (alone + self.joint * together)
