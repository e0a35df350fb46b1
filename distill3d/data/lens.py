"""Lens distortion: where a real lens puts what an ideal pinhole would have put elsewhere.

Source: Brown 1966 (radial and tangential), Kannala and Brandt 2006 (fisheye), in OpenCV's parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NEWTON_STEPS = 20


@dataclass(frozen=True)
class Lens:
    """Distortion of the normalised image plane (camera x/z, y/z). All zero: an ideal pinhole."""

    k: tuple[float, ...] = ()
    """Radial k1, k2, k3 of r², r⁴, r⁶, then k4, k5, k6 of OpenCV's denominator; a fisheye's of θ², θ⁴, …"""
    p: tuple[float, float] = (0.0, 0.0)
    """Tangential p1, p2."""
    fisheye: bool = False
    """Whether radii are angles (equidistant) before `k` applies."""

    @property
    def ideal(self) -> bool:
        return not self.fisheye and not any(self.k) and not any(self.p)

    def distort(self, plane: Float[Tensor, "*S 2"]) -> Float[Tensor, "*S 2"]:
        """From where a pinhole would see a point to where this lens sees it."""
        x, y = plane.unbind(-1)
        r2 = x * x + y * y
        if self.fisheye:
            r = r2.sqrt().clamp_min(1e-9)
            theta = torch.atan(r)
            scale = theta * (1 + _series(self.k, theta * theta)) / r
            return plane * scale[..., None]
        radial = (1 + _series(self.k[:3], r2)) / (1 + _series(self.k[3:], r2))
        p1, p2 = self.p
        return torch.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            -1,
        )

    def undistort(self, seen: Float[Tensor, "*S 2"]) -> Float[Tensor, "*S 2"]:
        """The inverse of `distort`, by fixed-point steps; exact where the lens does not fold the picture."""
        plane = seen.clone()
        for _ in range(NEWTON_STEPS):
            plane = plane + (seen - self.distort(plane))
        return plane


def _series(coefficients: tuple[float, ...], square: Tensor) -> Tensor:
    """c₁ s + c₂ s² + …"""
    total = torch.zeros_like(square)
    for coefficient in reversed(coefficients):
        total = (total + coefficient) * square
    return total


def undistorted(
    picture: Float[Tensor, "H W C"], lens: Lens, intrinsics: Float[Tensor, "4"]
) -> Float[Tensor, "H W C"]:
    """What a pinhole with the same fx, fy, cx, cy would have seen; nothing (0) where the lens saw nothing."""
    height, width = picture.shape[:2]
    fx, fy, cx, cy = intrinsics.to(picture).tolist()
    x = (torch.arange(width, dtype=picture.dtype) + 0.5 - cx) / fx
    y = (torch.arange(height, dtype=picture.dtype) + 0.5 - cy) / fy
    plane = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    seen = lens.distort(plane) * torch.tensor([fx, fy]) + torch.tensor([cx, cy])
    grid = 2 * seen / torch.tensor([width, height]) - 1
    sampled = torch.nn.functional.grid_sample(
        picture.permute(2, 0, 1)[None], grid[None].to(picture), align_corners=False
    )
    return sampled[0].permute(1, 2, 0)
