"""Objective: the contract of a score-distillation method. Its kinds live in objectives/, one paper to a file.

A method looks at pictures x of the scene and returns a direction g in picture space; the scene then moves
against it: `descend(x, g)` is a loss whose derivative in x is exactly g.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from jaxtyping import Float
from torch import Tensor

from distill3d.moment import Moment
from distill3d.prior import Condition, Prior
from distill3d.rendering import Rendering


@dataclass
class Objective:
    """A score-distillation method. Its fields are the --method.* flags of the command line."""

    guidance: Annotated[float | None, "classifier-free guidance scale; by default the prior's own"] = None
    t_first: Annotated[tuple[float, float], "noise levels drawn at the first step, low and high"] = (
        0.8,
        0.99,
    )
    t_last: Annotated[tuple[float, float], "noise levels drawn at the last step, low and high"] = (0.02, 0.2)

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The direction g in which the pictures x are wrong."""
        raise TypeError(f"{type(self).__name__} has no gradient")

    def learn(self, rendering: Rendering, prior: Prior, condition: Condition, moment: Moment) -> None:
        """Let the method's own model of the scene see its latest pictures before `gradient`; here nothing."""

    def state_dict(self) -> dict[str, Any]:
        """What `learn` has gathered, for checkpoints."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""

    def times(self, moment: Moment, count: int) -> Float[Tensor, "B"]:
        """Noise levels, uniform in a window that glides from `t_first` to `t_last` over the run."""
        low = moment.between(self.t_first[0], self.t_last[0])
        high = moment.between(self.t_first[1], self.t_last[1])
        return low + (high - low) * moment.uniform(count)

    def scale(self, prior: Prior) -> float:
        """The guidance scale in force."""
        return prior.guidance_scale if self.guidance is None else self.guidance


def descend(x: Float[Tensor, "*S"], g: Float[Tensor, "*S"]) -> Float[Tensor, ""]:
    """½‖x - sg(x - g)‖²: a number, ½‖g‖², whose derivative in x is g."""
    return 0.5 * (x - (x - g).detach()).square().sum()
