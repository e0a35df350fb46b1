"""Prior: the contract of a diffusion model. Its kinds live in priors/.

Every prior speaks noise prediction on continuous t in [0, 1]; other parametrisations are converted at its
border.
Letters: x_t = α x + σ ε, with α² + σ² = 1 (variance preserving).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.errors import UserError
from distill3d.rendering import Rendering
from distill3d.visual_prompt import VisualPrompt


@dataclass(frozen=True)
class Condition:
    """What a prior is told about pictures [B]: words, pictures of the object, and how they were taken."""

    prompt: str | None
    """None is the null prompt of classifier-free guidance."""
    cameras: Cameras | None = None
    background: Float[Tensor, "B 3"] | None = None
    """The colour behind the object, for priors that know one."""
    visual: VisualPrompt | None = None
    """Pictures of the object itself, for priors that can be shown some."""

    def __getitem__(self, rows: Tensor) -> Condition:
        """The condition of some of the pictures."""
        return replace(
            self,
            cameras=None if self.cameras is None else self.cameras[rows],
            background=None if self.background is None else self.background[rows],
        )

    def same_background(self, count: int) -> list[Tensor]:
        """The pictures 0 to `count` - 1 as groups of indices that share a background."""
        if self.background is None:
            return [torch.arange(count)]
        _, group = torch.unique(self.background, dim=0, return_inverse=True)
        return [(group == g).nonzero()[:, 0] for g in range(int(group.max()) + 1)]

    def without_prompt(self) -> Condition:
        """The null prompt, in which nothing is shown either."""
        return replace(self, prompt=None, visual=None)

    def saying(self, prompt: str | None) -> Condition:
        """The same pictures with other words, such as a negative prompt."""
        return replace(self, prompt=prompt)

    def showing(self, visual: VisualPrompt | None) -> Condition:
        """The same words beside pictures of the object, or beside none."""
        return replace(self, visual=visual)

    def without_cameras(self) -> Condition:
        """Pictures from nobody knows where."""
        return replace(self, cameras=None)


@dataclass(frozen=True)
class Question:
    """What a prior can be asked: which noise is in these pictures, under this condition?"""

    noisy: Float[Tensor, "B ..."]
    t: Float[Tensor, "B"]
    condition: Condition


class Prior:
    """A diffusion model of pictures. `B ...` is a batch in the space that `encode` maps to, channels last."""

    guidance_scale: float = 1.0
    """The classifier-free guidance that suits this prior."""
    null_prompt: bool = True
    """Whether the prior knows pictures of nothing in particular, which guidance compares with."""
    negative_prompt: str | None = None
    """Words for bad pictures; None where there are none, and the null prompt stands in for them."""
    precision: str = "float32"
    """What the prior computes in; an answer that overflows in float16 is refused with this advice."""

    def condition(self, prompt: str, cameras: Cameras, background: Float[Tensor, "B 3"]) -> Condition:
        """What `noise` needs to know of pictures of `prompt` by `cameras`, in front of `background`."""
        return Condition(prompt, cameras, background)

    def check_visual(self, visual: VisualPrompt) -> None:
        """Raise a `UserError` unless the prior can be shown these pictures; asked before a run is begun."""
        raise UserError(
            f"{type(self).__name__.lower()} reads words only and cannot be shown a picture; use --prior "
            "exact, or a Stable Diffusion model with --prior.ip-adapter"
        )

    def of_normals(self) -> Prior:
        """The prior of pictures that show normals as colours (see unpainted.py); a network is shown them
        like any others.
        """
        return self

    def stations_at(self, width: int, height: int) -> Cameras | None:
        """The only cameras that this prior knows pictures from; None if it knows them from everywhere."""
        return None

    def encode(self, rgb: Float[Tensor, "B H W 3"]) -> Float[Tensor, "B ..."]:
        """Pictures in [0, 1] to the prior's space; here pixels in [-1, 1]."""
        return rgb * 2 - 1

    def show(self, rendering: Rendering, condition: Condition) -> Float[Tensor, "B ..."]:
        """A rendering as the prior sees it: encoded, in front of the condition's background."""
        background = (1.0, 1.0, 1.0) if condition.background is None else condition.background
        return self.encode(rendering.over(background))

    def noise(
        self, noisy: Float[Tensor, "B ..."], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B ..."]:
        """The prediction of ε in `noisy` = α x + σ ε; the score is -noise / σ."""
        raise TypeError(f"{type(self).__name__} predicts no noise")

    def answers(self, questions: Sequence[Question]) -> list[Tensor]:
        """`noise` of each question. A network answers them in one call; here they are taken in turn.

        What is asked twice, such as the null prompt where there are no words for bad pictures, is answered
        once.
        """
        known: dict[tuple[object, ...], Tensor] = {}
        for q in questions:
            if _same(q) not in known:
                known[_same(q)] = self.noise(q.noisy, q.t, q.condition)
        return [known[_same(q)] for q in questions]

    def joint_noise(
        self, noisy: Float[Tensor, "B ..."], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B ..."]:
        """As `noise`, of all pictures together as views of one object, for priors of many views."""
        raise UserError(
            f"{type(self).__name__.lower()} knows single views only, and this method needs a prior of many; "
            "use --prior exact, or a method of single views such as sds"
        )

    def log_density(
        self, noisy: Float[Tensor, "B ..."], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B"]:
        """Log p_t of noised pictures, up to a constant, for priors that know it in closed form."""
        raise UserError(
            f"{type(self).__name__.lower()} has no density in closed form, which the ratio of this method "
            "needs; use --prior exact, or a method without a density ratio such as vsd"
        )

    def adapter(self, rank: int) -> torch.nn.Module:
        """A copy of the prior that can learn: a module called with (noisy, t, condition), answering ε.

        Its trainable parameters are the low-rank changes and the camera's embedding alone; a condition
        without cameras is embedded as zeros. It shares the frozen weights of the prior.
        """
        raise UserError(
            f"{type(self).__name__.lower()} has no weights to adapt; --method.fake lora expects a prior that "
            "is a network, and --method.fake network works with any"
        )

    def alpha_sigma(self, t: Float[Tensor, "B"]) -> tuple[Float[Tensor, "B"], Float[Tensor, "B"]]:
        """α and σ at t; here the cosine schedule α = cos(πt/2), σ = sin(πt/2)."""
        return torch.cos(t * (math.pi / 2)), torch.sin(t * (math.pi / 2))


def _same(question: Question) -> tuple[object, ...]:
    """Equal for questions about the very same tensors with the same words and pictures."""
    c = question.condition
    return (c.prompt, *map(id, (question.noisy, question.t, c.cameras, c.background, c.visual)))


def per_picture(values: Float[Tensor, "B"], pictures: Float[Tensor, "B ..."]) -> Tensor:
    """`values` [B] shaped to multiply `pictures` [B, ...]."""
    return values.reshape(-1, *[1] * (pictures.ndim - 1))


def noise_from_clean(
    clean: Float[Tensor, "B ..."],
    noisy: Float[Tensor, "B ..."],
    alpha: Float[Tensor, "B"],
    sigma: Float[Tensor, "B"],
) -> Float[Tensor, "B ..."]:
    """The noise ε = (x_t - α x) / σ from a prediction of the clean picture."""
    return torch.addcmul(noisy, per_picture(alpha, noisy), clean, value=-1) / per_picture(sigma, noisy)


def clean_from_noise(
    noise: Float[Tensor, "B ..."],
    noisy: Float[Tensor, "B ..."],
    alpha: Float[Tensor, "B"],
    sigma: Float[Tensor, "B"],
) -> Float[Tensor, "B ..."]:
    """The clean picture x = (x_t - σ ε) / α from a prediction of the noise."""
    return torch.addcmul(noisy, per_picture(sigma, noisy), noise, value=-1) / per_picture(alpha, noisy)


def told_and_null(
    prior: Prior, noisy: Float[Tensor, "B ..."], t: Float[Tensor, "B"], condition: Condition
) -> tuple[Float[Tensor, "B ..."], Float[Tensor, "B ..."]]:
    """ε_c and ε_u, the predictions with the prompt and with the null prompt, from one call of the prior."""
    told, null = prior.answers(
        [Question(noisy, t, condition), Question(noisy, t, condition.without_prompt())]
    )
    return told, null


def guided(
    prior: Prior, noisy: Float[Tensor, "B ..."], t: Float[Tensor, "B"], condition: Condition, scale: float
) -> Float[Tensor, "B ..."]:
    """Classifier-free guidance ε_u + s (ε_c - ε_u): s = 0 is unconditional, s = 1 conditional.

    Source: Ho & Salimans 2022 (arXiv 2207.12598), in the convention of diffusers.
    """
    if scale == 1:
        return prior.noise(noisy, t, condition)
    if scale == 0:
        return prior.noise(noisy, t, condition.without_prompt())
    told, null = told_and_null(prior, noisy, t, condition)
    return null + scale * (told - null)
