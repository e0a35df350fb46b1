"""The score teacher: a prior and an objective say how pictures of the student differ from the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.combine import clipped, normalised
from distill3d.distill import Collapsed, Loss
from distill3d.moment import Moment
from distill3d.objective import Objective, descend
from distill3d.prior import Prior
from distill3d.rendering import Rendering


@dataclass
class Score:
    """Score distillation of `prompt` from `prior` by `objective`.

    backgrounds: the share of pictures put in front of a random colour, the others stand on white. A scene
    that is seen in front of many colours cannot pass off background as object, nor fade into a white one.
    """

    prior: Prior
    objective: Objective
    prompt: str
    backgrounds: float = 0.5

    def __post_init__(self) -> None:
        """Raises a `UserError` if the method cannot work with the prior, or not on the prompt."""
        self.objective.check(self.prior)
        self.objective.check_prompt(self.prompt)

    def __call__(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Loss:
        background = self._background(len(cameras), moment)
        condition = self.prior.condition(self.prompt, cameras, background)
        pictures = rendering.over(background)
        x = self.prior.encode(pictures)
        with torch.no_grad():
            self.objective.learn(rendering, self.prior, condition, moment)
            g = self.objective.gradient(x.detach(), self.prior, condition, moment)
            g = self._limited(g, moment)
        parts = {"gradient": g.square().mean().sqrt(), "alpha": rendering.alpha.mean()}
        total = descend(x, g) / len(x)
        penalty = self.objective.penalty(pictures, condition)
        return Loss(total, parts) if penalty is None else Loss(total + penalty, {**parts, "penalty": penalty})

    def _limited(self, g: Float[Tensor, "B ..."], moment: Moment) -> Float[Tensor, "B ..."]:
        """The gradient as the method's flags limit it; one that is not finite ends the run."""
        # one pass where all is well: a sum of finite numbers may overflow, and only then each is looked at
        if not torch.isfinite(g.sum()) and not torch.isfinite(g).all():
            raise Collapsed(
                f"the gradient of {type(self.objective).__name__.lower()} is not finite at step "
                f"{moment.number}; {_advice(self.prior)}"
            )
        if self.objective.normalise:
            g = normalised(g)
        if self.objective.clip is not None:
            g = clipped(g, moment.between(*self.objective.clip))
        return g

    def _background(self, count: int, moment: Moment) -> Float[Tensor, "B 3"]:
        coloured = moment.uniform(count, 1) < self.backgrounds
        return torch.where(coloured, moment.uniform(count, 3), 1.0)

    def state_dict(self) -> dict[str, Any]:
        return {"objective": self.objective.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.objective.load_state_dict(state["objective"])


def _advice(prior: Prior) -> str:
    if prior.precision == "float16":
        return "the prior computes in float16 and may overflow: try --prior.precision float32"
    return "lower --method.guidance, or keep --method.t-first below 1 and --method.t-last above 0"
