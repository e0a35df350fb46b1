"""How alike the pictures of a scene are to photographs, or to the pictures of another scene.

PSNR and SSIM are those of one view, in front of white, and means are taken over views, as papers on radiance
fields report them. SSIM's windows reach over the border, as in 3D Gaussian Splatting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d.camera import Cameras
from distill3d.data.photographs import Photographs
from distill3d.lpips import Lpips
from distill3d.ops.ssim import ssim
from distill3d.rendering import Rendering

Renderer = Callable[[Cameras], Rendering]
"""Pictures from cameras [N]."""

WHITE = (1.0, 1.0, 1.0)
LEAST_ERROR = 1e-10  # pictures that agree to the last bit count as 100 dB, so that reports stay finite
OPAQUE = 0.9  # alpha from which a pixel shows a surface and little else


@dataclass(frozen=True)
class Scores:
    """PSNR, SSIM, LPIPS and the time of each view."""

    psnr: Float[Tensor, " N"]
    """dB, at most 100."""
    ssim: Float[Tensor, " N"]
    """-1 to 1, which is for equal pictures."""
    seconds: Float[Tensor, " N"]
    """That the scene took to draw each view."""
    lpips: Float[Tensor, " N"] | None = None
    """0 for equal pictures; None where it was not measured."""

    def summary(self, names: Sequence[str]) -> dict[str, Any]:
        """Means, worst values and the worst views' names, and the median time; JSON."""
        numbers: dict[str, Any] = {}
        for measure, best in (("psnr", max), ("ssim", max), ("lpips", min)):
            values: Tensor | None = getattr(self, measure)
            if values is None:
                continue
            worst = int(values.argmin() if best is max else values.argmax())
            numbers[measure] = float(values.mean())
            numbers[f"{measure}_worst"] = float(values[worst])
            numbers[f"{measure}_worst_view"] = names[worst]
        return {**numbers, "seconds_per_picture": round(float(self.seconds.median()), 5)}


@dataclass(frozen=True)
class Comparison:
    """What two scenes look like from the same cameras. All but the times are the same the other way round."""

    scores: Scores
    """Of the first scene's pictures, the second's being the truth; the times are the first's."""
    alpha_error: float
    """Mean difference of opacity over all pixels."""
    depth_error: float | None
    """Mean difference of camera z as a share of the mean of both, where both are opaque; None if nowhere."""
    normal_error_deg: float | None
    """Mean angle between normals where both are opaque; None if nowhere, or if a scene has no normals."""


@torch.no_grad()
def against_photographs(
    render: Renderer, taken: Photographs, background: Sequence[float] = WHITE, lpips: Lpips | None = None
) -> Scores:
    """The scores of a scene from the photographs' cameras, over a colour, where they are believed.

    A masked pixel is black in both pictures for SSIM and LPIPS and does not count for PSNR.
    """
    rows, distances = [], []
    for i in range(len(taken)):
        begun = time.perf_counter()
        seen = render(taken.cameras[i : i + 1]).to(taken.rgba.device)
        seconds = time.perf_counter() - begun
        rgba, believed = (t[i : i + 1].float() / 255 for t in (taken.rgba, taken.believed))
        truth = (rgba[..., :3] + (1 - rgba[..., 3:]) * torch.tensor(background)) * believed
        share = float(believed.mean())
        shown = seen.over(background).clamp(0, 1) * believed
        rows.append((*_likeness(shown, truth, share), seconds))
        if lpips is not None:
            distances.append(lpips(shown, truth))
    scores = _scores(rows)
    return replace(scores, lpips=torch.cat(distances)) if distances else scores


@torch.no_grad()
def compare(ours: Renderer, theirs: Renderer, cameras: Cameras) -> Comparison:
    """Two scenes from the same cameras [N], one after the other. Both must give depth.

    Raises ValueError for no cameras.
    """
    if not len(cameras):
        raise ValueError("given no cameras to compare two scenes from; expected at least one")
    rows, alpha, depth, angle = [], _Mean(), _Mean(), _Mean()
    for i in range(len(cameras)):
        begun = time.perf_counter()
        a = ours(cameras[i : i + 1])
        seconds = time.perf_counter() - begun
        b = theirs(cameras[i : i + 1])
        seen, truth = (p.over(WHITE).clamp(0, 1) for p in (a, b))
        rows.append((*_likeness(seen, truth, 1.0), seconds))
        opaque = ((a.alpha >= OPAQUE) & (b.alpha >= OPAQUE))[..., 0]
        alpha.add((a.alpha - b.alpha).abs())
        near, far = (p.mean_depth()[opaque] for p in (a, b))
        depth.add((near - far).abs() / ((near + far) / 2))
        if a.normal is not None and b.normal is not None:
            angle.add(_angles_deg(a.normal[opaque], b.normal[opaque]))
    return Comparison(_scores(rows), alpha.value or 0.0, depth.value, angle.value)


def _scores(rows: Sequence[tuple[float, float, float]]) -> Scores:
    psnr, similarity, seconds = torch.tensor(rows).unbind(1)
    return Scores(psnr, similarity, seconds)


def _likeness(
    seen: Float[Tensor, "1 H W 3"], truth: Float[Tensor, "1 H W 3"], share: float
) -> tuple[float, float]:
    """PSNR of the `share` of the pixels that count, the others being alike; and SSIM."""
    error = (seen - truth).square().mean() / max(share, 1e-12)
    return float(-10 * error.clamp_min(LEAST_ERROR).log10()), float(ssim(seen, truth).mean())


def _angles_deg(a: Float[Tensor, "P 3"], b: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
    """Angles between vectors, of those that have a direction; exact for small ones too."""
    a, b = (normalize(v, dim=-1) for v in (a, b))
    directed = (a.norm(dim=-1) > 0.5) & (b.norm(dim=-1) > 0.5)
    angles = torch.atan2(torch.linalg.cross(a, b).norm(dim=-1), (a * b).sum(-1))
    return torch.rad2deg(angles[directed])


class _Mean:
    """The mean of values that come in pieces; None before there are any."""

    def __init__(self) -> None:
        self._total, self._count = 0.0, 0

    def add(self, values: Tensor) -> None:
        self._total += float(values.double().sum())
        self._count += values.numel()

    @property
    def value(self) -> float | None:
        return self._total / self._count if self._count else None
