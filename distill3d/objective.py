"""Objective: the contract of a score-distillation method. Its kinds live in objectives/, one paper to a file.

A method looks at pictures x of the scene and returns a direction g in picture space; the scene then moves
against it: `descend(x, g)` is a loss whose derivative in x is exactly g.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import plugins
from distill3d.data.photographs import Photographs
from distill3d.errors import UserError
from distill3d.guidance import against_other_views, rescaled
from distill3d.moment import Moment
from distill3d.noised import Noised
from distill3d.prior import Condition, Prior, guided, told_and_null
from distill3d.rendering import Rendering


@dataclass(frozen=True)
class Taken:
    """Photographs that a scene is to look like from their own cameras, and how much that counts."""

    photographs: Photographs
    weight: float


@dataclass
class Objective:
    """A score-distillation method. Its fields are the --method.* flags of the command line."""

    PUBLISHED: ClassVar[dict[str, Any]] = {}
    """Settings for priors such as Stable Diffusion: the paper's, or customary ones where they are not known.

    The defaults are those that suit the closed world.
    """
    COMPARES: ClassVar[bool] = False
    """Whether the method always needs the null prompt beside the prompt."""

    t_first: Annotated[tuple[float, float], "noise levels drawn at the first step, low and high"] = (
        0.8,
        0.99,
    )
    t_last: Annotated[tuple[float, float], "noise levels drawn at the last step, low and high"] = (0.02, 0.2)
    clip: Annotated[
        tuple[float, float] | None, "largest element of the gradient, at the first step and at the last"
    ] = None
    normalise: Annotated[bool, "scale the gradient of each picture to a root mean square of 1"] = False

    def __post_init__(self) -> None:
        for name in ("t_first", "t_last"):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= 1:
                raise ValueError(
                    f"{flag(name)} is {low:g} {high:g}; expected two noise levels, the lower one first, "
                    "from 0 to 1"
                )
        if self.t_last[0] > self.t_first[0] or self.t_last[1] > self.t_first[1]:
            raise ValueError(
                f"{flag('t_last')} {self.t_last[0]:g} {self.t_last[1]:g} is above {flag('t_first')} "
                f"{self.t_first[0]:g} {self.t_first[1]:g}; noise goes down over a run, so swap them"
            )
        if self.clip is not None and not min(self.clip) > 0:
            raise ValueError(
                f"{flag('clip')} is {self.clip[0]:g} {self.clip[1]:g}; expected two positive numbers"
            )

    @classmethod
    def published(cls) -> Objective:
        """The method at the settings of its paper, `PUBLISHED`."""
        return cls(**cls.PUBLISHED)

    def check(self, prior: Prior) -> None:
        """Raise a `UserError` if the method cannot work with `prior`; asked before a run is begun."""
        if self.COMPARES:
            needs_null_prompt(prior)

    def check_prompt(self, prompt: str) -> None:
        """Raise a `UserError` if the method cannot make what `prompt` says; asked before a run is begun."""

    def gradient(
        self, x: Float[Tensor, "B ..."], prior: Prior, condition: Condition, moment: Moment
    ) -> Float[Tensor, "B ..."]:
        """The direction g in which the pictures x are wrong."""
        raise TypeError(f"{type(self).__name__} has no gradient")

    def penalty(self, pictures: Float[Tensor, "B H W 3"], condition: Condition) -> Tensor | None:
        """A loss on the pictures themselves, beside the gradient; here none."""
        return None

    def photographs(self) -> Taken | None:
        """Photographs that say something beside the gradient, if the method is given any; here none."""
        return None

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


@dataclass
class Guided(Objective):
    """A method that believes the prior under classifier-free guidance."""

    guidance: Annotated[float | None, "classifier-free guidance scale; by default the prior's own"] = None
    rescale: Annotated[float, "how much of the contrast that guidance adds is taken back, 0 to 1"] = 0.0
    perp_neg: Annotated[float, "weight of the other views as negatives (Perp-Neg); 0 is without"] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        within("rescale", self.rescale)

    def check(self, prior: Prior) -> None:
        super().check(prior)
        if self.scale(prior) != 1 or self.perp_neg:
            needs_null_prompt(prior)

    def check_prompt(self, prompt: str) -> None:
        if self.perp_neg and "view" in prompt.replace(",", " ").lower().split():
            raise UserError(
                f'--method.perp-neg names the views itself, and "{prompt}" says one already; leave the view '
                "out of the prompt, or leave out --method.perp-neg"
            )

    def scale(self, prior: Prior) -> float:
        """The guidance scale in force."""
        return prior.guidance_scale if self.guidance is None else self.guidance

    def predicted(self, prior: Prior, p: Noised, condition: Condition) -> Float[Tensor, "B ..."]:
        """ε̂_p(x_t; y, t): the prior's noise, guided as the flags say."""
        scale = self.scale(prior)
        if not (self.rescale or self.perp_neg):
            return guided(prior, p.x_t, p.t, condition, scale)
        told, null = told_and_null(prior, p.x_t, p.t, condition)
        direction = told - null
        if self.perp_neg:
            direction = direction + self.perp_neg * against_other_views(prior, p, condition, told, null)
        return rescaled(null + scale * direction, told, p, self.rescale)


@dataclass
class Variational(Guided):
    """A method that compares the prior with a model q of the scene's own pictures."""

    fake: Annotated[str, "q, the model of the scene's own pictures: own, network or lora"] = "network"
    memory: Annotated[int, "how many of the scene's latest pictures q is made from, where it is own"] = 64
    fake_rate: Annotated[float, "learning rate of q, where it is a network"] = 1e-3
    fake_steps: Annotated[int, "steps of learning of q for each of the scene's, where it is a network"] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one("memory", self.memory)
        at_least_one("fake_steps", self.fake_steps)
        if self.fake_rate <= 0:
            raise ValueError(f"{flag('fake_rate')} is {self.fake_rate:g}; expected a number over 0")
        kind = plugins.load("fakes", self.fake, "--method.fake", "the folder distill3d/fakes")
        self.q = kind(memory=self.memory, rate=self.fake_rate, steps=self.fake_steps)

    def check(self, prior: Prior) -> None:
        super().check(prior)
        self.q.check(prior)

    def learn(self, rendering: Rendering, prior: Prior, condition: Condition, moment: Moment) -> None:
        self.q.learn(rendering, prior, condition, moment)

    def state_dict(self) -> dict[str, Any]:
        return {"q": self.q.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.q.load_state_dict(state["q"])


def flag(name: str) -> str:
    """A field as the user writes it."""
    return f"--method.{name.replace('_', '-')}"


def within(name: str, value: float, low: float = 0.0, high: float = 1.0) -> None:
    """Raise a ValueError that names the flag unless `value` lies in [low, high]."""
    if not low <= value <= high:
        raise ValueError(f"{flag(name)} is {value:g}; expected a number from {low:g} to {high:g}")


def at_least_one(name: str, value: int) -> None:
    """Raise a ValueError that names the flag unless `value` counts something."""
    if value < 1:
        raise ValueError(f"{flag(name)} is {value}; expected a whole number from 1")


def needs_null_prompt(prior: Prior) -> None:
    """Raise a `UserError` unless `prior` knows what pictures of nothing in particular look like."""
    if not prior.null_prompt:
        raise UserError(
            f"{type(prior).__name__.lower()} has no null prompt, which guidance compares with; use "
            "--method.guidance 1 where the method has it, or another prior"
        )


def descend(x: Float[Tensor, "*S"], g: Float[Tensor, "*S"]) -> Float[Tensor, ""]:
    """½‖x - sg(x - g)‖²: a number, ½‖g‖², whose derivative in x is g."""
    return _Descent.apply(x, g.detach())


class _Descent(torch.autograd.Function):
    """`descend`, in a pass forwards and one backwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, g: Tensor) -> Tensor:
        ctx.save_for_backward(g)
        return 0.5 * g.flatten().dot(g.flatten())

    @staticmethod
    def backward(ctx: Any, *of_loss: Tensor) -> tuple[Tensor, None]:
        (g,) = ctx.saved_tensors
        return of_loss[0] * g, None
