"""What is done to classifier-free guidance: negatives of other views, and the rescale of its contrast."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import azimuth_elevation, turntable
from distill3d.combine import perpendicular
from distill3d.errors import UserError
from distill3d.noised import Noised
from distill3d.prior import Condition, Prior, Question, clean_from_noise, noise_from_clean, per_picture

OVERHEAD_DEG = 60.0  # cameras above it have no negatives


def rescaled(
    guided: Float[Tensor, "B ..."], told: Float[Tensor, "B ..."], p: Noised, share: float
) -> Float[Tensor, "B ..."]:
    """The guided noise, its clean picture as contrasty as the one without guidance, by `share` in [0, 1].

    Source: Lin et al. 2023 (arXiv 2305.08891), on the clean picture.
    """
    bold = clean_from_noise(guided, p.x_t, p.alpha, p.sigma)
    plain = clean_from_noise(told, p.x_t, p.alpha, p.sigma)
    ratio = plain.flatten(1).std(-1) / bold.flatten(1).std(-1).clamp_min(1e-8)
    calm = per_picture(share * ratio + (1 - share), bold) * bold
    return noise_from_clean(calm, p.x_t, p.alpha, p.sigma)


def negative(prior: Prior, condition: Condition, words: str | None) -> Condition:
    """The condition of bad pictures: `words`, or else the prior's own, or else the null prompt."""
    return condition.saying(prior.negative_prompt if words is None else words)


def check_words(prior: Prior, words: str | None, option: str) -> None:
    """Raise a `UserError` that names the option unless the prior can read its words."""
    if words is not None:
        try:
            prior.condition(words, turntable(1, width=8, height=8), torch.ones(1, 3))
        except ValueError as error:
            raise UserError(f"{option}: {error}") from error


def against_other_views(
    prior: Prior, p: Noised, condition: Condition, told: Tensor, null: Tensor
) -> Float[Tensor, "B ..."]:
    """Σ_i w_i (ε_i - ε_u), each without its part along the prompt's ε_c - ε_u; w_i ≤ 0 by azimuth.

    Source: Armandpour et al. 2023, Perp-Neg (arXiv 2304.04968).
    """
    if condition.cameras is None or condition.prompt is None:
        raise UserError("--method.perp-neg needs a prompt and cameras, to know which views are the others")
    front, side = prior.answers(
        [
            Question(p.x_t, p.t, condition.saying(f"{condition.prompt}, {view} view"))
            for view in ("front", "side")
        ]
    )
    weights = view_weights(*azimuth_elevation(condition.cameras)).to(null)
    parts = (perpendicular(direction - null, told - null) for direction in (front, side))
    return sum((per_picture(w, null) * part for w, part in zip(weights, parts, strict=True)), 0 * null)


def view_weights(
    azimuths_rad: Float[Tensor, "B"], elevations_rad: Float[Tensor, "B"]
) -> Float[Tensor, "2 B"]:
    """The weights of "front view" and "side view" as negatives of a camera; zero where it is that view.

    A exp(-B r) + C of the interpolation r between front and side, or side and back, with the constants of
    the paper's 3-D experiments.
    """
    turned = azimuths_rad.abs() / (math.pi / 2)
    r = torch.where(turned < 1, 1 - turned, 2 - turned)
    ahead = torch.stack([_decay(r, 4.0, 0.5, -2.426), _decay(1 - r, 4.0, 0.5, -2.426)])
    behind = torch.stack([_decay(r, 1.0, 0.5, 0.967), _decay(r, 1.0, 0.5, -0.606)])
    weights = -torch.where(turned < 1, ahead, behind)
    return torch.where(elevations_rad > math.radians(OVERHEAD_DEG), 0.0, weights)


def _decay(r: Tensor, a: float, b: float, c: float) -> Tensor:
    return (a * torch.exp(-b * r) + c).clamp_min(0)
