"""Judge: the contract of what can say how well pictures fit words. Its kinds live in judges/."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass
class Judge:
    """Says how well pictures fit words, differentiably."""

    model: str = ""
    """A local folder with the model, for a kind that reads one."""

    def check(self) -> None:
        """Raise a `UserError` if it cannot judge; before a run, so that nothing is begun."""

    def reward(self, pictures: Float[Tensor, "B H W 3"], prompt: str) -> Float[Tensor, "B"]:
        """The better a picture in [0, 1] fits the prompt, the larger; differentiable in the pictures."""
        raise TypeError(f"{type(self).__name__} judges nothing")
