"""Lifting: features come to a scene's primitives, picture by picture, and then step by step.

Step i is the i-th picture, whose map is compared with what the earlier ones let expect before it is taken in;
after the last come the steps of refinement (`lift.solve`). After each the scene has the columns

    features      of length one, or zero where nothing was seen
    reliability   how far the pictures agree: the length of the mean of unit vectors, 0 to 1

The direction of the average is the one whose mean cosine to all that was said is greatest, and that mean is
the reliability.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d.distill import Step
from distill3d.errors import UserError
from distill3d.extractor import FeatureMaps
from distill3d.lift.operator import Operator, operator_of
from distill3d.lift.query import FEATURES, RELIABILITY
from distill3d.lift.solve import LEAST_MASS, Evidence, Refinement, disagreement, normal_of
from distill3d.representations._primitives import Primitives


@dataclass
class Lifting:
    """Features on their way from maps to the primitives of a scene."""

    scene: Primitives
    maps: FeatureMaps
    refine: int
    """Steps after the last picture."""
    damping: float
    """λ."""
    operator: Operator = field(init=False)
    evidence: Evidence = field(init=False)
    refinement: Refinement | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.operator = operator_of(self.scene, self.maps.cameras, patch=self.maps.patch)
        self.evidence = Evidence.none(self.operator, self.maps.channels)

    @property
    def features(self) -> Float[Tensor, "N D"]:
        """As they are now, of any length."""
        return self.evidence.average() if self.refinement is None else self.refinement.features

    def steps(self, state: dict[str, Any] | None = None) -> Iterator[Step]:
        """Take the steps that are left after `state`, a `Step.state()` of an earlier lifting like this.

        Raises UserError if nothing of the scene was seen.
        """
        done = 0 if state is None else self._restore(state)
        views = len(self.maps.cameras)
        total, begun = views + self.refine, time.perf_counter()
        for number in range(done + 1, total + 1):
            loss = self._look(number - 1) if number <= views else self._refine()
            if number == views and not self.evidence.weight:
                raise UserError(
                    f"none of the {views} pictures shows anything of the scene; expected cameras that look "
                    "at it, in the world that it was made from"
                )
            self._put()
            seconds = time.perf_counter() - begun
            cameras = self.maps.cameras[min(number, views) - 1 : min(number, views)]
            yield Step(number, total, loss, self.numbers(), seconds, cameras, None, self._state_after(number))

    def _look(self, view: int) -> float:
        """Take in a picture's map; how far it is from what was expected."""
        said, operator = self.maps[view], self.operator[view : view + 1]
        surprise = disagreement(operator, self.evidence.average(), said)
        self.evidence.add(operator, said)
        return surprise

    def _refine(self) -> float:
        """A step of conjugate gradients; the residual of all pictures."""
        normal = self._normal()
        if self.refinement is None:
            self.refinement = Refinement.begin(normal, self.evidence)
        self.refinement.step(normal, self.evidence.mass, self.damping)
        return self.refinement.residual(self.evidence, self.damping)

    def residual(self) -> float:
        """Mean square of the distance from all maps, whose vectors have the length 1, to what is drawn."""
        now = self.refinement or Refinement.begin(self._normal(), self.evidence)
        return now.residual(self.evidence, self.damping)

    def numbers(self) -> dict[str, float]:
        """The share of primitives that was seen, and how reliable what was seen is in the mean."""
        mass, reliability = self.evidence.mass, self._reliability()
        return {
            "seen": float((mass > LEAST_MASS).float().mean()),
            RELIABILITY: float((reliability[:, None] * mass).sum() / mass.sum().clamp_min(LEAST_MASS)),
        }

    def _put(self) -> None:
        """Give the scene its columns as they are now."""
        self.scene.extra.put(FEATURES, normalize(self.features, dim=1).half())
        self.scene.extra.put(RELIABILITY, self._reliability())

    def _reliability(self) -> Float[Tensor, " N"]:
        return self.evidence.average().norm(dim=1).clamp(max=1.0)

    def _normal(self) -> Callable[[Tensor], Tensor]:
        """M of all pictures."""
        return normal_of(self.operator, self.evidence.ratios)

    def _state_after(self, number: int) -> Callable[[], dict[str, Any]]:
        def state() -> dict[str, Any]:
            return {
                "number": number,
                "student": self.scene.state_dict(),
                "evidence": self.evidence.state_dict(),
                "refinement": self.refinement.state_dict() if self.refinement else None,
            }

        return state

    def _restore(self, state: dict[str, Any]) -> int:
        self.evidence = Evidence(**state["evidence"])
        self.refinement = Refinement(**state["refinement"]) if state["refinement"] else None
        return state["number"]
