"""3-D Gaussians, splatted. Kerbl et al. 2023, "3D Gaussian Splatting for Real-Time Radiance Field
Rendering" (arXiv 2308.04079).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d.camera import Cameras
from distill3d.ops import splat_lift
from distill3d.ops.splat import splat
from distill3d.rendering import Rendering
from distill3d.representations import _starts
from distill3d.representations._primitives import Primitives
from distill3d.rotation import matrix_from_wxyz
from distill3d.scene import WANT, Seen
from distill3d.sh import degree_0_from_rgb

PRESETS = {
    "quick": {"steps": 1500, "limit": 20000},
    "standard": {"steps": 5000, "limit": 30000},
    "high": {"steps": 30000, "limit": 300000},
}


class Gaussians(Primitives):
    """N anisotropic Gaussians with opacity and spherical-harmonics colour; grows where the loss pulls."""

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        count: Annotated[int, "how many Gaussians to start with"] = 2000,
        limit: Annotated[int, "how many Gaussians there may be after growing"] = 10000,
        radius: Annotated[float, "radius of the ball they start in"] = 0.8,
        opacity: Annotated[float, "their opacity at the start"] = 0.1,
    ) -> Gaussians:
        """Grey Gaussians spread evenly in a ball, as large as the gaps between them."""
        _starts.check("gaussians", count=count, limit=limit, radius=radius, opacity=opacity)
        means = _starts.ball(count, radius, torch.Generator().manual_seed(seed))
        spacing = torch.tensor(radius * (4.19 / count) ** (1 / 3) * 0.6)
        return cls(
            means,
            torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
            spacing.log().repeat(count, 3),
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
        limit: Annotated[int, "how many Gaussians there may be after growing"] = 30000,
        radius: Annotated[float, "radius of the ball they start in where the dataset has no points"] = 0.8,
        opacity: Annotated[float, "their opacity at the start"] = 0.1,
        degree: Annotated[int, "of the harmonics of their colours in the end, 0 to 3"] = 3,
        densify: Annotated[
            Literal["default", "mcmc"], "split where the loss pulls, or move the dead to the living"
        ] = "default",
    ) -> Gaussians:
        """Gaussians at the points that are known, or spread in a ball, as large as the gaps between them."""
        _starts.check(
            "gaussians",
            count=min(count, limit),
            limit=limit,
            radius=radius,
            opacity=opacity,
            degree=degree,
        )
        generator = torch.Generator().manual_seed(seed)
        means, colours = _starts.points(seen, count=count, limit=limit, radius=radius, generator=generator)
        scene = cls(
            means,
            torch.tensor([1.0, 0, 0, 0]).repeat(len(means), 1),
            _starts.spacing(means).log()[:, None].repeat(1, 3),
            torch.logit(torch.tensor(opacity)).repeat(len(means)),
            degree_0_from_rgb(colours)[:, None],
            limit=limit,
            degree=degree,
            relocates=densify == "mcmc",
        )
        scene.photographed.fill_(True)
        return scene

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """Splats; depth is Σ w z of where rays to the centres meet their surfaces (see `_surface_depth`)."""
        cameras = cameras.to(self.device)
        self._probe = self._fresh_probe(cameras)
        depth = (
            self._surface_depth(cameras)[..., None]
            if "depth" in want
            else self.means.new_empty(len(self.means), 0)
        )
        image = splat(
            self.means,
            self.wxyz,
            self.log_scales.exp(),
            self.opacity_logits.sigmoid(),
            depth,
            cameras,
            sh=self.sh,
            normals="normal" in want,
            probe=self._probe,
            antialiased=bool(self.antialiased),
        )
        assert image.radiance is not None
        return Rendering(
            image.radiance, image.alpha, image.colours if "depth" in want else None, image.normal
        )

    @torch.no_grad()
    def draw(self, values: Float[Tensor, "N C"], cameras: Cameras) -> Float[Tensor, "*B H W C"]:
        cameras = cameras.to(self.device)
        return splat(*self.geometry, values, cameras, antialiased=bool(self.antialiased)).colours

    def gather(self, maps: Float[Tensor, "*B H W C"], cameras: Cameras) -> Float[Tensor, "N C"]:
        cameras = cameras.to(self.device)
        sums, _ = splat_lift.lift(*self.geometry, cameras, maps, antialiased=bool(self.antialiased))
        return sums

    def _surface_depth(self, cameras: Cameras) -> Float[Tensor, "*B N"]:
        """Camera z of where the ray to a splat's centre enters the ellipsoid on which its opacity is ½.

        That ellipsoid is the splat's silhouette as pictures show it, so that surfaces fused from depth and
        from silhouettes agree; the centre lies behind it. A splat that is nowhere half opaque counts with its
        centre.
        """
        offset = self.means - cameras.centres[..., None, :]
        direction = nn.functional.normalize(offset, dim=-1)
        axes = matrix_from_wxyz(nn.functional.normalize(self.wxyz, dim=-1))
        along_axes = torch.einsum("...ni,nij->...nj", direction, axes)
        deviation = 1 / (along_axes / self.log_scales.exp()).norm(dim=-1)
        level = (2 * (2 * self.opacity_logits.sigmoid()).clamp_min(1).log()).clamp_min(1e-12).sqrt()
        forward = cameras.world_to_camera[..., None, 2, :3]
        return ((offset - (level * deviation)[..., None] * direction) * forward).sum(-1)
