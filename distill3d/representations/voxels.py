"""A dense grid of density and colour, ray-marched with the emission-absorption quadrature of Max 1995.

Colours are the sigmoid of spherical harmonics of the direction of sight: Fridovich-Keil et al. 2022,
Plenoxels (arXiv 2112.05131), section 3. In a fit, neighbours are drawn to each other (equation 3).
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import field, sh
from distill3d.camera import Cameras
from distill3d.field import Field
from distill3d.moment import Moment
from distill3d.ops import grids
from distill3d.rendering import Rendering
from distill3d.representations import _upsampling
from distill3d.representations._learned import parameter
from distill3d.scene import Scene, Seen

PRESETS = {
    "quick": {"steps": 800, "views": 8, "rays": 5000, "resolution": 64, "samples": 128},
    "standard": {"steps": 4000, "views": 8, "rays": 5000, "resolution": 112, "samples": 192},
    "high": {"steps": 20000, "views": 16, "rays": 8192, "resolution": 256, "samples": 512},
}
"""Of fits to photographs: see `scene.PRESETS`."""
ROUGH_DENSITY, ROUGH_COLOUR = 1e-5, 1e-3
"""Weights of the total variation of raw densities and of colours in a fit."""
SOFT = 1e-3
"""Differences much under this are penalised by their squares."""
SLAB = 8
"""The total variation is that of a random slab each time, of so great a part of the grid."""
HIGHER = 0.25
"""The learning rate of harmonics of degree 1 and more is that of degree 0 times this."""


class Voxels(Field):
    """A dense voxel grid over [-1, 1]³: density and colour at its corners, interpolated between them."""

    finest: Tensor
    """The resolution that the grid reaches during a fit."""

    def __init__(
        self,
        raw_density: Float[Tensor, "Z Y X"],
        base: Float[Tensor, "Z Y X 3"],
        higher: Float[Tensor, "D H W C"],
        *,
        samples: int,
    ) -> None:
        """`base` and `higher` are the coefficients of degree 0, and of all others, three for each of them.

        The others may have fewer points along each side.
        """
        super().__init__(samples=samples)
        self.raw_density = parameter(raw_density)
        self.base = parameter(base)
        self.higher = parameter(higher) if higher.shape[-1] else None
        self.degree = sh.degree_of(1 + higher.shape[-1] // 3)
        self.directional = self.degree > 0
        self.register_buffer("finest", torch.tensor(len(raw_density)))

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        resolution: Annotated[int, "grid points along each side"] = 48,
        degree: Annotated[int, "of the spherical harmonics of colours"] = 0,
        coarser: Annotated[int, "so many times fewer grid points for degree 1 and more"] = 1,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 64,
    ) -> Voxels:
        """A grey haze, denser towards the centre."""
        if min(resolution, samples) < 2 or not (0 <= degree <= sh.MAX_DEGREE and coarser >= 1):
            raise ValueError(
                f"voxels cannot start with resolution {resolution}, samples {samples}, degree {degree} and "
                f"coarser {coarser}; expected 2 or more of the first two, 0 to {sh.MAX_DEGREE}, and 1 or more"
            )
        generator = torch.Generator().manual_seed(seed)
        line = torch.linspace(-1, 1, resolution)
        z, y, x = torch.meshgrid(line, line, line, indexing="ij")
        logits = 0.1 * torch.randn(3, *x.shape, generator=generator)
        higher = torch.zeros(*[_coarser(resolution, coarser)] * 3, 3 * ((degree + 1) ** 2 - 1))
        raw_density = field.haze(torch.stack([x, y, z], -1))
        return cls(raw_density, logits.movedim(0, -1) / sh.DEGREE_0, higher, samples=samples)

    @classmethod
    def from_photographs(
        cls,
        seen: Seen,
        *,
        seed: int = 0,
        resolution: Annotated[int, "grid points along each side, in the end"] = 112,
        degree: Annotated[int, "of the spherical harmonics of colours"] = 2,
        coarser: Annotated[int, "so many times fewer grid points for degree 1 and more"] = 2,
        samples: Annotated[int, "samples along a ray through the whole scene"] = 192,
    ) -> Scene:
        """As `start`, coarse to begin with."""
        scene = super().from_photographs(
            seen,
            seed=seed,
            resolution=_upsampling.coarse(resolution),
            degree=degree,
            coarser=coarser,
            samples=samples,
        )
        scene.get_buffer("finest").fill_(resolution)
        return scene

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Voxels:
        if "colour_logits" in state:  # of before colours could depend on the direction of sight
            logits = state["colour_logits"].movedim(0, -1)
            state = {**state, "base": logits / sh.DEGREE_0}
            del state["colour_logits"]
        higher = state.get("higher", state["base"][..., :0])
        scene = cls(state["raw_density"], state["base"], higher, samples=int(state["samples"]))
        scene.load_state_dict({**scene.state_dict(), **state})  # files from before fields remember nothing
        return scene

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], None]:
        logits = sh.DEGREE_0 * grids.voxels(self.base, x)
        if self.higher is not None and d is not None:
            seen = sh.basis(d, self.degree)[:, None, 1:]
            logits = logits + (seen @ grids.voxels(self.higher, x).unflatten(1, (-1, 3)))[:, 0]
        return self.log_density(x), logits.sigmoid(), None

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        return field.log_sharp(grids.voxels(self.raw_density[..., None], x)[:, 0])

    def param_groups(self) -> list[dict[str, Any]]:
        first, last = 0.1 / sh.DEGREE_0, 0.02 / sh.DEGREE_0
        groups = [
            {"name": "density", "params": [self.raw_density], "lr": 0.2, "lr_final": 0.02},
            {"name": "base", "params": [self.base], "lr": first, "lr_final": last},
        ]
        if self.higher is not None:
            rates = {"lr": HIGHER * first, "lr_final": HIGHER * last}
            groups.append({"name": "higher", "params": [self.higher], **rates})
        return groups

    def penalty(self, cameras: Cameras, rendering: Rendering, moment: Moment) -> Tensor | None:
        """In a fit, the total variation of densities and colours in a slab of the grid."""
        if not self.photographed:
            return None
        count = len(self.raw_density)
        depth = max(2, count // SLAB)
        first = int(moment.uniform() * (count - depth + 1))
        slab = slice(first, first + depth)
        return ROUGH_DENSITY * total_variation(self.raw_density[slab][..., None]) + (
            ROUGH_COLOUR * total_variation(self.base[slab])
        )

    def grow(
        self, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> None:
        """Make the grid finer when the pictures become larger; see `Field.grow`."""
        resolution = _upsampling.due(int(self.finest), step, steps)
        if resolution is not None and resolution > len(self.raw_density):
            finer = {
                "raw_density": _upsampling.volume(self.raw_density.detach()[..., None], resolution)[..., 0],
                "base": _upsampling.volume(self.base.detach(), resolution),
            }
            if self.higher is not None:
                side = _coarser(resolution, round(len(self.base) / len(self.higher)))
                finer["higher"] = _upsampling.volume(self.higher.detach(), side)
            _upsampling.replace(self, optimizer, finer)
        super().grow(step, steps, optimizer, generator)


def total_variation(values: Float[Tensor, "Z Y X C"]) -> Float[Tensor, ""]:
    """Mean length of the differences to the next value along each axis, in units of the grid's spacing.

    Plenoxels, equation 3, where that is 1/256 of the grid's side. The last along an axis have no next.
    """
    here = values[:-1, :-1, :-1]
    steps = [values[1:, :-1, :-1] - here, values[:-1, 1:, :-1] - here, values[:-1, :-1, 1:] - here]
    # the root is moved off 0, where it has no derivative
    return (torch.stack(steps).square().sum(0) + SOFT**2).sqrt().mean() - SOFT


def _coarser(resolution: int, divisor: int) -> int:
    return max(2, -(-resolution // divisor))
