"""The closed world's own prior: the exact score of a mixture of renders, with no training and no download.

A prompt names procedural objects; some instances of it are rendered from many cameras. The prior is the
mixture Σ_k π_k N(c_k, s²) over these renders, whose posterior mean is a softmax-weighted sum of them (see
mixture.py).
View words restrict the mixture to renders from like directions. Two dials make the classic failures appear:

    π(camera)        = (1 - bias) uniform + bias (von Mises around the front)
    π(camera | view) = (1 - leak) π restricted to the view + leak π restricted to the front at that elevation

A picture of the object, beside its words, says which instance it is: π is multiplied by p(instance | picture)
(see _recognition.py).

A render c = 2 (rgb + (1 - a) b) - 1 is linear in the background b, so one bank serves every background.

What noise can hide in a picture depends on how many pixels it has. Pictures are therefore scaled to the
energy of a picture of 16 x 16 pixels. That is the shift of the noise schedule with resolution of Hoogeboom
et al. 2023, "simple diffusion" (arXiv 2301.11093), section 2.1: the same t means the same structure at every
size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d.camera import Cameras, azimuth_elevation, orbit
from distill3d.errors import UserError
from distill3d.mixture import logits, shrink
from distill3d.prior import Condition, Prior, noise_from_clean
from distill3d.priors._recognition import log_identities
from distill3d.visual_prompt import VisualPrompt
from distill3d.world.bank import (
    VIEWS_OF_EVERYTHING,
    Bank,
    Shown,
    bank_of,
    everything,
    painted,
    stations,
    unpainted,
)
from distill3d.world.grammar import describe
from distill3d.world.views import in_view

FRONT_CONCENTRATION = 4.0  # von Mises κ of the biased cameras


@dataclass
class Exact(Prior):
    """The exact score of the closed world's renders; `leak` and `bias` make it favour front views."""

    leak: Annotated[float, "how often a view word still yields front views, 0 to 1"] = 0.0
    bias: Annotated[float, "how concentrated on the front the renders are, 0 to 1"] = 0.0
    instances: Annotated[int, "how many variations of the object the prior knows"] = 8
    stations: Annotated[int, "from how many cameras each of them was rendered"] = 128
    view_deg: Annotated[float, "how far, in degrees, a view word reaches around the camera"] = 30.0
    view_prompts: Annotated[bool, "whether the prompt gets a view word from the camera"] = True
    spread: Annotated[float, "standard deviation of a pixel around its render, in [-1, 1] units"] = 0.02
    tolerance: Annotated[float, "the same of a picture that the prior is shown, which says what is meant"] = (
        0.1
    )

    def __post_init__(self) -> None:
        for name in ("leak", "bias"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"prior.{name} is {getattr(self, name):g}; expected a number from 0 to 1")
        if self.tolerance <= 0:
            raise ValueError(f"prior.tolerance is {self.tolerance:g}; expected a number over 0")
        for name in ("instances", "stations"):
            if getattr(self, name) < 1:
                raise ValueError(f"prior.{name} is {getattr(self, name)}; expected a whole number from 1")
        self._shown = painted

    def condition(self, prompt: str, cameras: Cameras, background: Float[Tensor, "B 3"]) -> Condition:
        """Unknown words in `prompt` are refused here, before any work is done."""
        describe(prompt)
        return Condition(prompt, cameras, background)

    def check_visual(self, visual: VisualPrompt) -> None:
        """A picture by an unknown camera is compared with the world's renders, which are square."""
        height, width = visual.rgb.shape[1:3]
        if visual.cameras is None and width != height:
            raise UserError(
                f"the picture of the object is {width} x {height} pixels; {type(self).__name__.lower()} "
                "expects a square one, with the object as large in it as in those of distill3d render"
            )

    def encode(self, rgb: Float[Tensor, "B H W 3"]) -> Float[Tensor, "B H W 3"]:
        """Pictures in [-1, 1], scaled to the energy of 16 x 16 pixels."""
        return (rgb * 2 - 1) * _scale(rgb)

    def of_normals(self) -> Exact:
        """The same mixture of the same objects, unpainted."""
        other = replace(self)
        other._shown = unpainted
        return other

    def stations_at(self, width: int, height: int) -> Cameras:
        """The cameras that the prior's renders were taken by, for pictures of this size."""
        return stations(self.stations, width=width, height=height)

    def noise(
        self, noisy: Float[Tensor, "B H W 3"], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B H W 3"]:
        """ε from the mixture's posterior mean; exact for any guidance, view and background."""
        seen = self._compared(noisy, t, condition)
        return self._noise(noisy, t, seen, torch.softmax(seen.logits, -1))

    def joint_noise(
        self, noisy: Float[Tensor, "B H W 3"], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B H W 3"]:
        """ε of all pictures together, as views of one and the same instance by their own cameras.

        The instance is what they share: with E_bi the evidence for instance i in picture b, a render k of i
        has r_bk = softmax_i(Σ_b E_bi) · its share in E_bi. `leak` and `bias` are failings of one view alone;
        a prior of many views knows its cameras, and has none. What it is shown counts once for all.
        """
        seen = self._sound._compared(noisy, t, condition.showing(None))
        by_instance = seen.logits.unflatten(1, (-1, seen.pictures.stations))
        evidence = torch.logsumexp(by_instance, -1)
        instance = torch.softmax(evidence.sum(0) + self._log_identities(condition).to(evidence), -1)
        r = instance[:, None] * torch.softmax(by_instance, -1)
        return self._noise(noisy, t, seen, r.flatten(1))

    @cached_property
    def _sound(self) -> Exact:
        """The prior without leak and bias, on the same renders."""
        sound = replace(self, leak=0.0, bias=0.0)
        sound._shown = self._shown
        return sound

    def log_density(
        self, noisy: Float[Tensor, "B H W 3"], t: Float[Tensor, "B"], condition: Condition
    ) -> Float[Tensor, "B"]:
        """Log p_t of the mixture, without the constant of 2π."""
        seen = self._compared(noisy, t, condition)
        x = seen.noisy.flatten(1)
        spread = seen.variance.log() + 2 * math.log(_scale(noisy))
        square = x.square().sum(-1) / seen.variance
        return torch.logsumexp(seen.logits, -1) - 0.5 * (square + x.shape[1] * spread)

    def _noise(
        self, noisy: Float[Tensor, "B H W 3"], t: Float[Tensor, "B"], seen: _Compared, r: Tensor
    ) -> Float[Tensor, "B H W 3"]:
        """ε from the responsibilities r of the renders."""
        alpha, sigma = self.alpha_sigma(t)
        sigma, nearest = sigma / _scale(noisy), seen.pictures.sum(r, seen.background)
        clean = shrink(seen.noisy.flatten(1), nearest, alpha, sigma, self.spread)
        return noise_from_clean(clean.reshape(noisy.shape), seen.noisy, alpha, sigma)

    def _compared(
        self, noisy: Float[Tensor, "B H W 3"], t: Float[Tensor, "B"], condition: Condition
    ) -> _Compared:
        """How well each render explains each picture."""
        pictures = self._pictures(condition.prompt, noisy)
        alpha, sigma = self.alpha_sigma(t)
        noisy, sigma = noisy / _scale(noisy), sigma / _scale(noisy)
        background = (
            condition.background if condition.background is not None else noisy.new_ones(len(noisy), 3)
        )
        variance = alpha**2 * self.spread**2 + sigma**2
        of_renders = logits(
            pictures.overlaps(noisy, background),
            pictures.squares(background),
            self._log_weights(pictures.bank, condition) + self._log_shown(pictures.bank, condition),
            alpha,
            variance,
        )
        return _Compared(pictures, noisy, background, variance, of_renders)

    def _pictures(self, prompt: str | None, like: Float[Tensor, "B H W 3"]) -> _Pictures:
        height, width = like.shape[1:3]
        return _pictures_of(prompt, self.instances, self.stations, width, height, self._shown, like.device)

    def _log_shown(self, bank: Bank, condition: Condition) -> Float[Tensor, " K"]:
        """Log p(instance | what is shown) of every render."""
        of_instances = self._log_identities(condition).to(bank.rgba.device)
        return of_instances.repeat_interleave(len(bank.rgba) // len(of_instances))

    def _log_identities(self, condition: Condition) -> Float[Tensor, " I"]:
        """Log p(instance | what is shown); one number for all where nothing is."""
        if condition.visual is None or condition.prompt is None:
            return torch.zeros(1)
        return log_identities(condition.visual, condition.prompt, self.instances, self.tolerance)

    def _log_weights(self, bank: Bank, condition: Condition) -> Float[Tensor, "#B K"]:
        """Log π of every render of the bank, for each picture asked about."""
        azimuths, _ = azimuth_elevation(bank.cameras)
        vonmises = (FRONT_CONCENTRATION * (azimuths.cos() - 1)).exp()
        weights = ((1 - self.bias) / len(azimuths) + self.bias * vonmises / vonmises.sum())[None]
        meant = self._view(bank, condition)
        if meant is not None:
            view, front = meant
            weights = (1 - self.leak) * _restricted(weights, view) + self.leak * _restricted(weights, front)
        return weights.log()

    def _view(self, bank: Bank, condition: Condition) -> tuple[Tensor, Tensor] | None:
        """Which renders the view word means, and which it yields where it leaks; None without a view word.

        The prompt's own word means its part of the sphere. Otherwise a word is made for each camera: it means
        what lies within `view_deg` of it, and leaks to what lies within `view_deg` of the front at the same
        elevation.
        """
        if condition.prompt is None:
            return None
        word = describe(condition.prompt).view
        if word is not None:
            azimuths, elevations = azimuth_elevation(bank.cameras)
            return in_view(word, azimuths, elevations)[None], in_view("front", azimuths, elevations)[None]
        if not self.view_prompts or condition.cameras is None:
            return None
        _, elevations = azimuth_elevation(condition.cameras)
        front = orbit(torch.zeros_like(elevations), elevations, width=1, height=1)
        return self._around(condition.cameras, bank), self._around(front, bank)

    def _around(self, cameras: Cameras, bank: Bank) -> Bool[Tensor, "B K"]:
        """Which renders were taken within `view_deg` of each camera; the nearest ones if none was."""
        there, here = (normalize(c.centres, dim=-1) for c in (cameras, bank.cameras))
        nearness = there @ here.T
        reach = torch.full_like(nearness[:, :1], math.cos(math.radians(self.view_deg)))
        return nearness >= torch.minimum(reach, nearness.amax(-1, keepdim=True))


def _scale(pictures: Float[Tensor, "B H W 3"]) -> float:
    return 16 / math.sqrt(pictures.shape[1] * pictures.shape[2])


def _restricted(weights: Float[Tensor, "#B K"], to: Tensor) -> Float[Tensor, "B K"]:
    """`weights` where `to` holds, summing to one; all of them if it holds nowhere."""
    kept = torch.where(to, weights, 0.0)
    kept = torch.where(kept.sum(-1, keepdim=True) > 0, kept, weights)
    return kept / kept.sum(-1, keepdim=True)


@dataclass(frozen=True)
class _Compared:
    """Noised pictures beside the renders that may explain them."""

    pictures: _Pictures
    noisy: Float[Tensor, "B H W 3"]
    """In the units of the renders."""
    background: Float[Tensor, "B 3"]
    variance: Float[Tensor, "B"]
    logits: Float[Tensor, "B K"]


@lru_cache(maxsize=6)
def _pictures_of(
    prompt: str | None, instances: int, views: int, width: int, height: int, shown: Shown, at: torch.device
) -> _Pictures:
    """Renders of a prompt, or of everything. Kept for the next run of the same prompt, in all three sizes of
    its pictures, because making them takes as long as many steps.
    """
    if prompt is None:
        return _Pictures(everything(width=width, height=height, shown=shown).to(at), VIEWS_OF_EVERYTHING)
    bank = bank_of(describe(prompt), instances, views, width=width, height=height, shown=shown)
    return _Pictures(bank.to(at), views)


class _Pictures:
    """A bank's renders as vectors, split so that c = C + M b for every background b.

    C = 2 rgb - 1, M = 2 (1 - a).
    """

    def __init__(self, bank: Bank, stations: int) -> None:
        self.bank, self.stations = bank, stations
        rgba = bank.rgba.float() / 255
        self.colour = (2 * rgba[..., :3] - 1).flatten(1)
        self.missing = (2 * (1 - rgba[..., 3])).flatten(1)

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor, Tensor]:
        by_channel = self.colour.unflatten(1, (-1, 3))
        cross = torch.einsum("kpc,kp->kc", by_channel, self.missing)
        return self.colour.square().sum(-1), cross, self.missing.square().sum(-1)

    def squares(self, background: Float[Tensor, "B 3"]) -> Float[Tensor, "B K"]:
        """‖c_k‖² in front of each background."""
        colour, cross, missing = self._moments
        return colour + 2 * background @ cross.T + background.square().sum(-1, keepdim=True) * missing

    def overlaps(self, x: Float[Tensor, "B H W 3"], background: Float[Tensor, "B 3"]) -> Float[Tensor, "B K"]:
        """x·c_k in front of each background."""
        along = (x * background[:, None, None]).sum(-1)
        return (self.colour @ x.flatten(1).T + self.missing @ along.flatten(1).T).T

    def sum(self, r: Float[Tensor, "B K"], background: Float[Tensor, "B 3"]) -> Float[Tensor, "B D"]:
        """Σ_k r_k c_k; weights that float32 could not add to 1 are left out."""
        kept = (r.amax(0) > 1e-8).nonzero()[:, 0]
        colour, missing = r[:, kept] @ self.colour[kept], r[:, kept] @ self.missing[kept]
        return colour + (missing[..., None] * background[:, None]).flatten(1)
