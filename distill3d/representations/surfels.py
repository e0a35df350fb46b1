"""Flat Gaussians on discs, which lie on surfaces and know their normals. Huang et al. 2024, "2D Gaussian
Splatting for Geometrically Accurate Radiance Fields" (arXiv 2403.17888).

Densification splits a fixed share of the discs that the loss pulls most, along their longer axis.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill3d.camera import Cameras
from distill3d.ops.surfels import surfels
from distill3d.rendering import Rendering
from distill3d.representations._extra import Extra
from distill3d.rotation import matrix_from_wxyz
from distill3d.scene import WANT, Scene
from distill3d.sh import degree_0_from_rgb, radiance, rgb_from_degree_0

OPAQUE_FROM, OPAQUE_WEIGHT = 0.1, 2.0
LEARNED = ("means", "wxyz", "log_scales", "opacity_logits", "sh")


class Surfels(Scene):
    """N flat Gaussians (2DGS) with opacity and spherical-harmonics colour, which show depth and normals."""

    means: nn.Parameter
    wxyz: nn.Parameter
    log_scales: nn.Parameter
    opacity_logits: nn.Parameter
    sh: nn.Parameter
    limit: Tensor
    pull: Tensor

    def __init__(
        self,
        means: Float[Tensor, "N 3"],
        wxyz: Float[Tensor, "N 4"],
        log_scales: Float[Tensor, "N 2"],
        opacity_logits: Float[Tensor, "N"],
        sh: Float[Tensor, "N K 3"],
        *,
        limit: int | None = None,
        extra: Extra | None = None,
    ) -> None:
        super().__init__()
        for name, value in zip(LEARNED, (means, wxyz, log_scales, opacity_logits, sh), strict=True):
            self.register_parameter(name, nn.Parameter(value.detach().clone()))
        self.register_buffer("limit", torch.tensor(len(means) if limit is None else limit))
        self.register_buffer("pull", torch.zeros(len(means)))
        self.extra = extra or Extra()
        self._probe: Tensor | None = None

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
        if count < 1 or limit < count or not 0 < opacity < 1 or not 0 < radius <= 1:
            raise ValueError(
                f"surfels cannot start with count {count}, limit {limit}, radius {radius:g}, "
                f"opacity {opacity:g}; "
                "expected 1 <= count <= limit, 0 < radius <= 1 and 0 < opacity < 1"
            )
        generator = torch.Generator().manual_seed(seed)
        directions = nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
        means = directions * torch.rand(count, 1, generator=generator) ** (1 / 3) * radius
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
    def from_state(cls, state: dict[str, Any]) -> Surfels:
        scene = cls(*[state[name] for name in LEARNED], limit=int(state["limit"]))
        scene.load_state_dict(state)
        return scene

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """Discs, with depth where rays meet them and normals that face the camera."""
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
        return Rendering(image.colours, image.alpha, depth, normal)

    def _seen(self, cameras: Cameras) -> Float[Tensor, "N 3"] | Float[Tensor, "*B N 3"]:
        """Colours as the cameras see them; all alike where there is no harmonic beyond degree 0."""
        if self.sh.shape[1] == 1:
            return rgb_from_degree_0(self.sh[:, 0]).clamp_min(0)
        from_eyes = [self.means - centre for centre in cameras.centres.reshape(-1, 3)]
        colours = [radiance(self.sh, nn.functional.normalize(offsets, dim=-1)) for offsets in from_eyes]
        return torch.stack(colours).reshape(*cameras.shape, *colours[0].shape)

    def _fresh_probe(self, cameras: Cameras) -> Tensor | None:
        """Zeros added to the projected discs, whose gradient `grow` reads."""
        if not (torch.is_grad_enabled() and self.means.requires_grad):
            return None
        probe = torch.zeros(*cameras.shape, len(self.means), 2, device=self.means.device)
        return probe.requires_grad_()

    def param_groups(self) -> list[dict[str, Any]]:
        rates = {
            "means": (1e-2, 5e-4),
            "wxyz": (2e-2, 5e-3),
            "log_scales": (2e-2, 5e-3),
            "opacity_logits": (5e-2, 2e-2),
            "sh": (5e-2, 5e-3),
        }
        return [
            {"name": name, "params": [getattr(self, name)], "lr": first, "lr_final": last}
            for name, (first, last) in rates.items()
        ]

    def penalty(self) -> Tensor:
        """Be opaque or nothing: pictures leave that open, but a surface is."""
        opacity = self.opacity_logits.sigmoid()
        missing = (opacity.detach() > OPAQUE_FROM) * (1 - opacity)
        return OPAQUE_WEIGHT * missing.sum() / max(len(missing), 1)

    def grow(
        self, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        """Drop the transparent, split the most pulled along their longer axis, in forty rounds or fewer."""
        if self._probe is not None and self._probe.grad is not None:
            self.pull += self._probe.grad.norm(dim=-1)[None].flatten(0, -2).sum(0)
        every = max(steps // 40, 5)
        if step % every or not 0.05 * steps <= step <= 0.8 * steps:
            return
        alive = (self.opacity_logits.sigmoid() > 0.02) & (self.log_scales.amax(-1).exp() < 0.5)
        kept = alive.nonzero()[:, 0]
        room = min(int(self.limit) - len(kept), max(len(kept) // 5, 20))
        split = kept[self.pull[kept].topk(min(max(room, 0), len(kept))).indices]
        unsplit = kept[~torch.isin(kept, split)]
        rows = torch.cat([unsplit, split, split])
        values = {name: getattr(self, name)[rows] for name in LEARNED}
        self._halve(values, len(unsplit), len(split))
        self._replace(optimizer, rows, values, fresh=2 * len(split))

    @staticmethod
    def _halve(values: dict[str, Tensor], first: int, count: int) -> None:
        """Make the last two runs of `count` rows the two halves of their parents, along the longer axis."""
        for side, rows in ((-1, slice(first, first + count)), (1, slice(first + count, first + 2 * count))):
            scales = values["log_scales"][rows].exp()
            longer = nn.functional.one_hot(scales.argmax(-1), 2).to(scales)
            axes = matrix_from_wxyz(values["wxyz"][rows])[..., :2]
            values["means"][rows] += 0.6 * side * (axes @ (scales * longer)[..., None])[..., 0]
            values["log_scales"][rows] += longer * -0.5

    def _replace(
        self, optimizer: torch.optim.Optimizer, rows: Tensor, values: dict[str, Tensor], *, fresh: int
    ) -> None:
        """Make `values`, which came from `rows`, the parameters; the last `fresh` forget their moments."""
        for group in optimizer.param_groups:
            name, (old,) = group["name"], group["params"]
            new = nn.Parameter(values[name].clone())
            moments = optimizer.state.pop(old, {})
            for key in ("exp_avg", "exp_avg_sq"):
                if key in moments:
                    moments[key] = moments[key][rows]
                    moments[key][len(rows) - fresh :] = 0
            optimizer.state[new] = moments
            group["params"] = [new]
            self.register_parameter(name, new)
        self.extra.take(rows)
        self.pull = torch.zeros(len(rows), device=self.means.device)
        self._probe = None

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """As nn.Module, for any count of surfels."""
        for name in LEARNED:
            self.register_parameter(name, nn.Parameter(torch.empty_like(state_dict[name])))
        self.pull = torch.zeros_like(state_dict["pull"])
        return super().load_state_dict(state_dict, strict, assign)
