"""Flat Gaussians on discs, which lie on surfaces and know their normals. Huang et al. 2024, "2D Gaussian
Splatting for Geometrically Accurate Radiance Fields" (arXiv 2403.17888).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d.camera import Cameras
from distill3d.moment import Moment
from distill3d.ops.surfels import surfels
from distill3d.rendering import Rendering
from distill3d.representations import _starts, _surface
from distill3d.representations._extra import Extra
from distill3d.representations._primitives import Primitives
from distill3d.scene import WANT, Seen
from distill3d.sh import degree_0_from_rgb, radiance, rgb_from_degree_0

PRESETS = {
    "quick": {"steps": 1500, "limit": 20000},
    "standard": {"steps": 5000, "limit": 30000},
    "high": {"steps": 30000, "limit": 300000},
}
NORMAL_FROM, DISTORTION_FROM = 7 / 30, 3 / 30
"""Shares of a run after which the penalties begin."""


class Surfels(Primitives):
    """N flat Gaussians (2DGS) with opacity and spherical-harmonics colour, which show depth and normals."""

    surface_weights: Tensor
    """Those of the penalties on normals and on distortion."""

    rates_for_score: ClassVar[dict[str, tuple[float, float]]] = {
        **Primitives.rates_for_score,
        "wxyz": (2e-2, 5e-3),
    }

    def __init__(
        self,
        means: Float[Tensor, "N 3"],
        wxyz: Float[Tensor, "N 4"],
        log_scales: Float[Tensor, "N 2"],
        opacity_logits: Float[Tensor, "N"],
        sh: Float[Tensor, "N K 3"],
        *,
        limit: int | None = None,
        degree: int = 0,
        relocates: bool = False,
        surface_weights: tuple[float, float] = (0.0, 0.0),
        extra: Extra | None = None,
    ) -> None:
        learned = (means, wxyz, log_scales, opacity_logits, sh)
        super().__init__(*learned, limit=limit, degree=degree, relocates=relocates, extra=extra)
        self.register_buffer("surface_weights", torch.tensor(surface_weights))

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        count: Annotated[int, "how many surfels to start with"] = 2000,
        limit: Annotated[int, "how many surfels there may be after growing"] = 10000,
        radius: Annotated[float, "radius of the ball they start in"] = 0.8,
        opacity: Annotated[float, "their opacity at the start"] = 0.1,
    ) -> Surfels:
        """Grey discs spread evenly in a ball and turned at random, as large as the gaps between them."""
        _starts.check("surfels", count=count, limit=limit, radius=radius, opacity=opacity)
        generator = torch.Generator().manual_seed(seed)
        means = _starts.ball(count, radius, generator)
        wxyz = nn.functional.normalize(torch.randn(count, 4, generator=generator), dim=-1)
        spacing = torch.tensor(radius * (4.19 / count) ** (1 / 3) * 0.8)
        return cls(
            means,
            wxyz,
            spacing.log().repeat(count, 2),
            torch.logit(torch.tensor(opacity)).repeat(count),
            degree_0_from_rgb(torch.full((count, 3), 0.5))[:, None],
            limit=limit,
        )

    @classmethod
    def from_photographs(
        cls,
        seen: Seen,
        *,
        seed: int = 0,
        count: Annotated[int, "how many to start with where the dataset has no points"] = 5000,
        limit: Annotated[int, "how many surfels there may be after growing"] = 30000,
        radius: Annotated[float, "radius of the ball they start in where the dataset has no points"] = 0.8,
        opacity: Annotated[float, "their opacity at the start"] = 0.1,
        degree: Annotated[int, "of the harmonics of their colours in the end, 0 to 3"] = 3,
        densify: Annotated[
            Literal["default", "mcmc"], "split where the loss pulls, or move the dead to the living"
        ] = "default",
        normal_weight: Annotated[float, "of the penalty on normals that disagree with depth"] = 0.05,
        distortion_weight: Annotated[float, "of the penalty on layers that lie apart"] = 100.0,
    ) -> Surfels:
        """Discs at the points that are known, or spread in a ball, as large as the gaps between them."""
        _starts.check(
            "surfels",
            count=min(count, limit),
            limit=limit,
            radius=radius,
            opacity=opacity,
            degree=degree,
        )
        if min(normal_weight, distortion_weight) < 0:
            raise ValueError(
                f"surfels cannot start with normal_weight {normal_weight:g} and distortion_weight "
                f"{distortion_weight:g}; expected 0 or more"
            )
        generator = torch.Generator().manual_seed(seed)
        means, colours = _starts.points(seen, count=count, limit=limit, radius=radius, generator=generator)
        scene = cls(
            means,
            nn.functional.normalize(torch.randn(len(means), 4, generator=generator), dim=-1),
            _starts.spacing(means).log()[:, None].repeat(1, 2),
            torch.logit(torch.tensor(opacity)).repeat(len(means)),
            degree_0_from_rgb(colours)[:, None],
            limit=limit,
            degree=degree,
            relocates=densify == "mcmc",
            surface_weights=(normal_weight, distortion_weight),
        )
        scene.photographed.fill_(True)
        return scene

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """Discs, with depth where rays meet them and normals that face the camera."""
        cameras = cameras.to(self.device)
        self._probe = self._fresh_probe(cameras)
        image = surfels(
            self.means,
            self.wxyz,
            self.log_scales.exp(),
            self.opacity_logits.sigmoid(),
            self._seen(cameras),
            cameras,
            probe=self._probe,
        )
        depth = image.depth if "depth" in want else None
        normal = image.normal if "normal" in want else None
        distortion = image.distortion if "distortion" in want else None
        return Rendering(image.colours, image.alpha, depth, normal, distortion=distortion)

    @torch.no_grad()
    def draw(self, values: Float[Tensor, "N C"], cameras: Cameras) -> Float[Tensor, "*B H W C"]:
        return surfels(*self.geometry, values, cameras.to(self.device)).colours

    def gather(self, maps: Float[Tensor, "*B H W C"], cameras: Cameras) -> Float[Tensor, "N C"]:
        """The derivative of what is drawn by the values."""
        values = maps.new_zeros(len(self.means), maps.shape[-1]).requires_grad_()
        with torch.enable_grad():
            drawn = surfels(*self.geometry, values, cameras.to(self.device)).colours
        return torch.autograd.grad(drawn, values, maps)[0]

    def want(self, moment: Moment) -> Collection[str]:
        normal, distortion = self._surface_weights(moment)
        return {*WANT, *(("depth", "normal") if normal else ()), *(("distortion",) if distortion else ())}

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor | None:
        """For photographs: normals agree with depth, and what blends lies close together (equation 16)."""
        total = super().penalty(cameras, rendering, moment)
        normal, distortion = self._surface_weights(moment)
        terms = [] if total is None else [total]
        if normal:
            terms.append(normal * _surface.normal_consistency(cameras, rendering))
        if distortion and rendering.distortion is not None:
            terms.append(distortion * rendering.distortion.mean())
        return torch.stack(terms).sum() if terms else None

    def _surface_weights(self, moment: Moment) -> tuple[float, float]:
        """The weights of both penalties at this moment."""
        normal, distortion = self.surface_weights.tolist()
        return normal * (moment.progress >= NORMAL_FROM), distortion * (moment.progress >= DISTORTION_FROM)

    def _seen(self, cameras: Cameras) -> Float[Tensor, "N 3"] | Float[Tensor, "*B N 3"]:
        """Colours as the cameras see them; all alike where there is no harmonic beyond degree 0."""
        if self.sh.shape[1] == 1:
            return rgb_from_degree_0(self.sh[:, 0]).clamp_min(0)
        from_eyes = [self.means - centre for centre in cameras.centres.reshape(-1, 3)]
        colours = [radiance(self.sh, nn.functional.normalize(offsets, dim=-1)) for offsets in from_eyes]
        return torch.stack(colours).reshape(*cameras.shape, *colours[0].shape)
