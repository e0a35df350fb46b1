"""Rendering: what every renderer of the project returns. Premultiplied by alpha, channels last, float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Rendering:
    """Pictures of a scene; *B is the cameras' batch shape. A channel that was not asked for is None."""

    rgb: Float[Tensor, "*B H W 3"]
    alpha: Float[Tensor, "*B H W 1"]
    depth: Float[Tensor, "*B H W 1"] | None = None
    """Σ w z, with z the camera's z in world units."""
    normal: Float[Tensor, "*B H W 3"] | None = None
    """Σ w n, in world coordinates."""
    features: Float[Tensor, "*B H W D"] | None = None
    """Σ w f."""
    distortion: Float[Tensor, "*B H W 1"] | None = None
    """How far apart what blends in a pixel lies: see `ops.surfels`, the only ones to have it."""

    def over(self, background: Float[Tensor, "*#B 3"] | Sequence[float]) -> Float[Tensor, "*B H W 3"]:
        """The picture in front of a colour (one for all, or one for each camera)."""
        colour = torch.as_tensor(background, dtype=self.rgb.dtype, device=self.rgb.device)
        return torch.addcmul(self.rgb, 1 - self.alpha, colour[..., None, None, :])

    def mean_depth(self) -> Float[Tensor, "*B H W 1"]:
        """Depth of what is seen, Σ w z / Σ w; infinite where nothing is."""
        if self.depth is None:
            raise ValueError('no depth in this rendering; ask for it with want=("rgb", "alpha", "depth")')
        return torch.where(self.alpha > 1e-4, self.depth / self.alpha.clamp_min(1e-4), torch.inf)

    def detach(self) -> Rendering:
        return self._each(Tensor.detach)

    def to(self, device: torch.device | str) -> Rendering:
        return self._each(lambda channel: channel.to(device))

    def __getitem__(self, index: int | slice | Tensor) -> Rendering:
        """Some of the pictures of a batch."""
        return self._each(lambda channel: channel[index])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Rendering:
        return Rendering(*[None if v is None else change(v) for v in self._values()])  # type: ignore[arg-type]

    def _values(self) -> list[Tensor | None]:
        return [getattr(self, field.name) for field in fields(self)]


def concatenate(renderings: Sequence[Rendering]) -> Rendering:
    """One batch from several; a channel that any of them lacks is None."""
    columns = zip(*[r._values() for r in renderings], strict=True)
    return Rendering(*[None if any(v is None for v in c) else torch.cat(c) for c in columns])  # type: ignore[arg-type]
