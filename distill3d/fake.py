"""Fake: the contract of a model of the scene's own pictures. Its kinds live in fakes/.

Where SDS subtracts the noise that was added, its successors subtract ε_q, a prediction of noise made by a
model q of what the scene looks like: of pictures by one camera, or by any. It sees the scene's pictures as
they come, and is asked for their noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from distill3d.errors import UserError
from distill3d.moment import Moment
from distill3d.noised import Noised
from distill3d.prior import Condition, Prior
from distill3d.rendering import Rendering


@dataclass
class Fake:
    """A model of the scene's own pictures. A kind keeps its state in fields made with field(init=False)."""

    memory: int = 64
    """How many of the scene's latest pictures it is made from."""
    rate: float = 1e-3
    """Learning rate, for a kind that is a network."""
    steps: int = 1
    """Steps of learning for each step of the scene, for a kind that is a network."""

    def check(self, prior: Prior) -> None:
        """Raise a `UserError` if it cannot work beside `prior`; before a run, so that nothing is begun."""

    def learn(self, rendering: Rendering, prior: Prior, condition: Condition, moment: Moment) -> None:
        """See the scene's latest pictures, which `condition.cameras` took. Called without gradients."""
        raise TypeError(f"{type(self).__name__} learns nothing")

    def noise(self, p: Noised, prior: Prior, condition: Condition) -> Float[Tensor, "B ..."]:
        """ε_q of p.x_t: of pictures by `condition.cameras`, or by any camera where these are None."""
        raise TypeError(f"{type(self).__name__} predicts no noise")

    def log_density(self, p: Noised, prior: Prior, condition: Condition) -> Float[Tensor, "B"]:
        """Log q_t of p.x_t up to the constant of `Prior.log_density`, for kinds that know it."""
        raise UserError(
            f"--method.fake {type(self).__name__.lower()} has no density, which the ratio of this method "
            "needs; use --method.fake own"
        )

    def state_dict(self) -> dict[str, Any]:
        """What was learned, for checkpoints."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
