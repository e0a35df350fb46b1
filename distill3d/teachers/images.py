"""The images teacher: photographs say how pictures of the student from the same cameras are wrong.

Source: Kerbl et al. 2023, 3D Gaussian Splatting (arXiv 2308.04079), equation 7:
L = (1 − λ) L1 + λ (1 − SSIM), with λ = 0.2.

Scenes that are made of rays learn sooner from some pixels of many photographs than from all of one
(Mildenhall et al. 2020, NeRF, section 5.3): with a stride, every so manieth along rows and columns is looked
at, from a random one on. Neighbours are then apart, and each is compared for itself, by Huber's loss (Müller
et al. 2022, Instant-NGP, whose code has δ = 0.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import huber_loss, interpolate

from distill3d.camera import Cameras
from distill3d.data.photographs import Photographs
from distill3d.distill import Loss
from distill3d.moment import Moment
from distill3d.ops.ssim import ssim
from distill3d.rendering import Rendering

DELTA = 0.1
"""Errors under this count by their square, larger ones by their size."""


@dataclass
class Images:
    """Photographs, as the cameras of a step and as what is to be seen from them.

    Photographs and renderings stand in front of the same colour. One that is drawn anew for each picture
    makes clear what is clear in the photograph, and opaque what is opaque.
    """

    photographs: Photographs
    background: Sequence[float] | None = None
    """The colour in [0, 1]; None: drawn at random."""
    structure: float = 0.2
    """λ: the share of SSIM, where whole pictures are looked at."""
    stride: int = 1
    """Every how manieth pixel of a photograph is looked at in a step, along its rows and columns."""
    _smaller: dict[int, Photographs] = field(default_factory=dict, repr=False)
    _taken: Photographs | None = field(default=None, repr=False)
    """What was picked for this step."""

    def cameras(self, moment: Moment, *, views: int, width: int, height: int) -> Cameras:
        """`views` of the photographs' cameras, drawn at random, at the size that fits into width x height."""
        photographs = self._fitting(width, height)
        picked = (moment.uniform(views) * len(photographs)).long()
        self._taken = thinned(photographs, picked, self.stride, moment)
        return self._taken.cameras

    def __call__(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Loss:
        if self._taken is None or self._taken.cameras is not cameras:
            raise ValueError(
                "given cameras that are not those of this step; use the teacher as the run's rig"
            )
        background = self._background(len(self._taken), moment)
        truth = over(self._taken.rgba, background)
        believed = self._taken.believed.float() / 255
        seen = rendering.over(background) * believed + truth * (1 - believed)
        loss = scattered(seen, truth) if self.stride > 1 else whole(seen, truth, self.structure)
        mse = (seen.detach() - truth).square().mean()
        return Loss(loss.total, {**loss.parts, "psnr": -10 * mse.clamp_min(1e-12).log10()})

    def _background(self, count: int, moment: Moment) -> Float[Tensor, "B 3"]:
        if self.background is None:
            return moment.uniform(count, 3)
        return torch.tensor(self.background, device=moment.device).expand(count, 3)

    def _fitting(self, width: int, height: int) -> Photographs:
        """The photographs shrunk into a box; each size is made once."""
        full = self.photographs.cameras
        scale = min(width / full.width, height / full.height, 1.0)
        side = max(1, round(full.width * scale))
        if side == full.width:
            return self.photographs
        if side not in self._smaller:
            self._smaller[side] = shrunk(self.photographs, side, max(1, round(full.height * scale)))
        return self._smaller[side]

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state:
            raise ValueError(f"given a state with {sorted(state)}; the images teacher has none")


def whole(seen: Float[Tensor, "B H W 3"], truth: Float[Tensor, "B H W 3"], structure: float) -> Loss:
    """What pictures are wrong by, as pictures."""
    absolute, similarity = (seen - truth).abs().mean(), ssim(seen, truth).mean()
    total = (1 - structure) * absolute + structure * (1 - similarity)
    return Loss(total, {"l1": absolute, "ssim": similarity})


def scattered(seen: Float[Tensor, "B H W 3"], truth: Float[Tensor, "B H W 3"]) -> Loss:
    """What pixels are wrong by that have nothing to do with each other; for large errors it is their L1."""
    return Loss(huber_loss(seen, truth, delta=DELTA) / DELTA, {"l1": (seen - truth).detach().abs().mean()})


def thinned(photographs: Photographs, picked: Int[Tensor, " B"], stride: int, moment: Moment) -> Photographs:
    """Every `stride`-th pixel of the photographs that are `picked`, from a random one on in each."""
    cameras = photographs.cameras[picked]
    if stride == 1:
        return Photographs(cameras, photographs.rgba[picked], photographs.believed[picked])
    spare = picked.new_tensor([cameras.width, cameras.height])
    spare -= stride * ((spare // stride).clamp_min(1) - 1)
    first = (moment.uniform(len(picked), 2) * spare).long()
    thin = cameras.thinned(stride, first)
    columns, rows = (
        first[:, i, None] + stride * torch.arange(length, device=first.device)
        for i, length in enumerate((thin.width, thin.height))
    )
    pixels = picked[:, None, None], rows[:, :, None], columns[:, None]
    return Photographs(thin, photographs.rgba[pixels], photographs.believed[pixels])


def over(rgba: Tensor, background: Float[Tensor, "B 3"]) -> Float[Tensor, "B H W 3"]:
    """Photographs in bytes, premultiplied, in front of a colour for each."""
    values = rgba.float() / 255
    return values[..., :3] + (1 - values[..., 3:]) * background[:, None, None]


def shrunk(photographs: Photographs, width: int, height: int) -> Photographs:
    """The photographs at a smaller size; a pixel counts only where all that went into it does."""

    def smaller(table: Tensor) -> Tensor:
        return interpolate(table.permute(0, 3, 1, 2).float(), (height, width), mode="area").permute(
            0, 2, 3, 1
        )

    return replace(
        photographs,
        cameras=photographs.cameras.resized(width, height),
        rgba=smaller(photographs.rgba).round().to(torch.uint8),
        believed=torch.where(smaller(photographs.believed) > 254, 255, 0).to(torch.uint8),
    )
