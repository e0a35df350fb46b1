"""A differentiable reward beside any method. After VLM3D, Bai et al. 2025 (arXiv 2509.15772).

    L = L_base - λ (log P(yes) - log P(no))

A judge says how well each picture fits the words, and its derivative goes through it to the pictures. Of the
paper the abstract was read; there the judge is a large vision-language model asked two questions, of which
the second, whether the views agree, is left out. Here it is a small network that has seen the closed world,
or any model with two encoders from a local folder (see judges/).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from distill3d import plugins
from distill3d.errors import UserError
from distill3d.moment import Moment
from distill3d.objective import Objective
from distill3d.prior import Condition, Prior
from distill3d.rendering import Rendering


@dataclass
class Reward(Objective):
    """After VLM3D: any method, and a judge of pictures and words whose reward is made large."""

    PUBLISHED: ClassVar = {"t_first": (0.02, 0.98), "t_last": (0.02, 0.5)}

    base: Annotated[str, "the method that the reward is added to, at its defaults"] = "sds"
    weight: Annotated[float, "λ: weight of the reward"] = 0.1
    judge: Annotated[str, "who judges: world or vision_language"] = "world"
    model: Annotated[str, "local folder of the judge's model, for vision_language"] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.base == "reward":
            raise UserError("--method.base is reward itself; expected another method, such as sds")
        method = plugins.load("objectives", self.base, "--method.base", "distill3d generate --help")
        kind = plugins.load("judges", self.judge, "--method.judge", "the folder distill3d/judges")
        self.method: Objective = method(t_first=self.t_first, t_last=self.t_last)
        self.who = kind(model=self.model)

    def check(self, prior: Prior) -> None:
        self.method.check(prior)
        self.who.check()

    def check_prompt(self, prompt: str) -> None:
        self.method.check_prompt(prompt)

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        return self.method.gradient(x, prior, condition, moment)

    def penalty(self, pictures: Float[Tensor, "B H W 3"], condition: Condition) -> Float[Tensor, ""]:
        """-λ times the mean reward."""
        return -self.weight * self.who.reward(pictures, condition.prompt or "").mean()

    def learn(self, rendering: Rendering, prior: Prior, condition: Condition, moment: Moment) -> None:
        self.method.learn(rendering, prior, condition, moment)

    def state_dict(self) -> dict[str, Any]:
        return self.method.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.method.load_state_dict(state)
