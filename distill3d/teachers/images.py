"""The images teacher: photographs say how pictures of the student from the same cameras are wrong.

Source: Kerbl et al. 2023, 3D Gaussian Splatting (arXiv 2308.04079), equation 7:
L = (1 − λ) L1 + λ (1 − SSIM), with λ = 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from distill3d.camera import Cameras
from distill3d.data.photographs import Photographs
from distill3d.distill import Loss
from distill3d.moment import Moment
from distill3d.ops.ssim import ssim
from distill3d.rendering import Rendering


@dataclass
class Images:
    """Photographs, as the cameras of a step and as what is to be seen from them.

    Pictures stand in front of a colour drawn for each, the photograph and the rendering alike, so that what
    is clear in one must be clear in the other, and what is opaque opaque.
    """

    photographs: Photographs
    structure: float = 0.2
    """λ: the share of SSIM."""
    _smaller: dict[int, Photographs] = field(default_factory=dict, repr=False)
    _taken: tuple[Cameras, Tensor] | None = field(default=None, repr=False)

    def cameras(self, moment: Moment, *, views: int, width: int, height: int) -> Cameras:
        """`views` of the photographs' cameras, drawn at random, at the size that fits into width x height."""
        photographs = self._fitting(width, height)
        picked = (moment.uniform(views) * len(photographs)).long()
        cameras = photographs.cameras[picked]
        self._taken = (cameras, picked)
        return cameras

    def __call__(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Loss:
        if self._taken is None or self._taken[0] is not cameras:
            raise ValueError(
                "given cameras that are not those of this step; use the teacher as the run's rig"
            )
        picked, photographs = self._taken[1], self._fitting(cameras.width, cameras.height)
        background = moment.uniform(len(picked), 3)
        truth = over(photographs.rgba[picked], background)
        believed = photographs.believed[picked].float() / 255
        seen = rendering.over(background) * believed + truth * (1 - believed)
        absolute = (seen - truth).abs().mean()
        similarity = ssim(seen, truth).mean()
        total = (1 - self.structure) * absolute + self.structure * (1 - similarity)
        mse = (seen.detach() - truth).square().mean()
        return Loss(total, {"l1": absolute, "ssim": similarity, "psnr": -10 * mse.clamp_min(1e-12).log10()})

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
