"""Gaussians and surfels as a field: a density that takes the light that they take, and their colours.

A splat of opacity α whose footprint is G takes −log(1 − α G) of a ray's optical depth, which is, over its
whole footprint, 2π s₁ s₂ Li₂(α), with Euler's dilogarithm. That much matter is spread as the splat's normal
distribution, which is widened to what a grid can hold, and so rays that pass through the field lose in the
mean what they lose to the splats. Seen from the side, a flat splat takes less, and its matter does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor
from torch.nn.functional import max_pool3d, pad

from distill3d import sh
from distill3d.field import CELLS, Field
from distill3d.ops import grids
from distill3d.representations._primitives import Primitives
from distill3d.rotation import matrix_from_wxyz

WIDENED = 0.3
"""Deviation in units of the grid's spacing that every splat is widened by, in each direction. With
more, objects grow at their silhouettes, where light goes through the edges of many splats."""
REACH = 3.0
"""Deviations as far as which a splat is spread."""
LEAST = 1e-2
"""Density per world unit under which there is nothing."""
MOST = 0.999
"""Opacity: a splat is drawn with this one at most."""
SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 128)
"""How far splats are spread, rounded up to one of these; a grid has no use for more."""
TERMS = 100
AT_ONCE = 2**17
"""Pairs of splats and grid points that are looked at together."""


class SplatField(Field):
    """The density and the harmonics of splats at the points of a dense grid over [-1, 1]³.

    Densities are interpolated, and colours too, each corner's by the light that it takes. It has nothing to
    learn: it teaches.
    """

    density: Tensor
    row: Tensor
    colours: Tensor

    def __init__(
        self,
        density: Float[Tensor, "Z Y X"],
        row: Int64[Tensor, "Z Y X"],
        colours: Float[Tensor, "M K 3"],
    ) -> None:
        """`row` says where in `colours` the harmonics of a grid point are; row 0 is for empty ones."""
        super().__init__(samples=len(density))
        self.register_buffer("density", density)
        self.register_buffer("row", row)
        self.register_buffer("colours", colours)
        self.directional = colours.shape[1] > 1
        self.remembered.copy_(_most_in_cells(density))

    @classmethod
    @torch.no_grad()
    def of(cls, scene: Primitives, *, resolution: int, degree: int = sh.MAX_DEGREE) -> SplatField:
        """The field of Gaussians or surfels, with `resolution` grid points along each side.

        `degree` is the most that is kept of the harmonics. Splats whose centre is out of the unit ball are
        left out. Raises ValueError if none are in it, and for a grid of fewer than 2 points.
        """
        if resolution < 2:
            raise ValueError(f"given resolution {resolution}, expected 2 or more grid points along each side")
        splats = _Splats.of(scene, 2 / (resolution - 1))
        shape = (resolution,) * 3
        density = splats.means.new_zeros(resolution**3)
        pairs = list(_spread(splats, resolution))
        for of, place, share in pairs:
            density.index_add_(0, place, share * splats.matter[of])
        if not (density > LEAST).any():
            raise ValueError(
                f"given {len(scene.means)} splats, of which none can be seen in the unit ball; move or scale "
                "the scene into it first"
            )
        filled = density > LEAST
        row = torch.where(filled, filled.cumsum(0), 0)
        terms = min(scene.sh.shape[1], (degree + 1) ** 2)
        harmonics = scene.sh.detach()[splats.rows, :terms].flatten(1)
        total = harmonics.new_zeros(int(row.max()) + 1, harmonics.shape[1])
        for of, place, share in pairs:
            total.index_add_(0, row[place.long()], (share * splats.matter[of])[:, None] * harmonics[of])
        total[1:] /= density[filled, None]
        total[0] = 0
        field = cls((density * filled).reshape(shape), row.reshape(shape), total.unflatten(1, (terms, 3)))
        field = field.to(density.device)
        field.scene_transform.copy_(scene.scene_transform)
        return field

    def query(
        self, x: Float[Tensor, "P 3"], d: Float[Tensor, "P 3"] | None
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, "P 3"], Float[Tensor, "P D"] | None]:
        """See `Field.query`; no gradients but those of density by `x`."""
        with torch.no_grad():
            coefficients = self._coefficients(x.detach())
            if d is None:
                rgb = sh.rgb_from_degree_0(coefficients[:, 0]).clamp(0, 1)
            else:
                rgb = sh.radiance(coefficients, d).clamp_max(1)
        return self.log_density(x), rgb, None

    def log_density(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, " P"]:
        return grids.voxels(self.density[..., None], x)[:, 0].clamp_min(1e-9).log()

    def _coefficients(self, x: Float[Tensor, "P 3"]) -> Float[Tensor, "P K 3"]:
        """Those of the eight corners around each point, by their density and their nearness."""
        side = len(self.density)
        place = ((x.clamp(-1, 1) + 1) * (side - 1) / 2).clamp_max(side - 1 - 1e-3)
        low = place.long()
        near = place - low
        total = x.new_zeros(len(x), *self.colours.shape[1:])
        taken = x.new_full((len(x),), 1e-9)
        for corner in range(8):
            step = torch.tensor([corner & 1, corner >> 1 & 1, corner >> 2 & 1], device=x.device)
            i, j, k = (low + step).unbind(-1)
            weight = torch.where(step.bool(), near, 1 - near).prod(-1) * self.density[k, j, i]
            total += weight[:, None, None] * self.colours[self.row[k, j, i]]
            taken += weight
        return total / taken[:, None, None]


@dataclass(frozen=True)
class _Splats:
    """What of splats is spread over a grid."""

    rows: Int64[Tensor, " N"]
    """Of the scene."""
    means: Float[Tensor, "N 3"]
    whitening: Float[Tensor, "N 3 3"]
    """Turns offsets, as rows, into deviations along the axes of the widened splats."""
    reach: Int64[Tensor, "N 3"]
    """How far they are spread along x, y and z, in units of the grid's spacing."""
    matter: Float[Tensor, " N"]
    """Optical depth times area, over the volume of a cell of the grid."""

    @classmethod
    def of(cls, scene: Primitives, spacing: float) -> _Splats:
        rows = (scene.means.norm(dim=-1) < 1).nonzero()[:, 0]
        scales = scene.log_scales.detach()[rows].exp()
        opacity = scene.opacity_logits.detach()[rows].sigmoid().clamp_max(MOST)
        area = 2 * math.pi * scales.topk(2, -1).values.prod(-1)
        deviations = (pad(scales, (0, 3 - scales.shape[1])).square() + (WIDENED * spacing) ** 2).sqrt()
        axes = matrix_from_wxyz(scene.wxyz.detach()[rows])
        reach = REACH * (axes * deviations[:, None]).norm(dim=-1) / spacing
        sizes = reach.new_tensor(SIZES)
        return cls(
            rows,
            scene.means.detach()[rows],
            axes / deviations[:, None],
            sizes[torch.bucketize(reach, sizes[:-1])].long(),
            area * dilogarithm(opacity) / spacing**3,
        )


def _spread(
    splats: _Splats, resolution: int
) -> Iterator[tuple[Int32[Tensor, " P"], Int32[Tensor, " P"], Float[Tensor, " P"]]]:
    """Splats, grid points (axes z, y, x in a row), and what share of the splat's matter is there.

    The shares of a splat that is in the cube are 1 together. Splats that reach as far come together.
    """
    spacing = 2 / (resolution - 1)
    for reach in splats.reach.unique(dim=0):
        lines = [torch.arange(-int(r), int(r) + 1, device=reach.device) for r in reach]
        offsets = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).reshape(-1, 3)
        some = (splats.reach == reach).all(-1).nonzero()[:, 0]
        for of in some.split(max(1, AT_ONCE // len(offsets))):
            nearest = ((splats.means[of] + 1) / spacing).round().long()
            place = nearest[:, None] + offsets
            apart = place * spacing - 1 - splats.means[of, None]
            squared = (apart @ splats.whitening[of]).square().sum(-1)
            share = torch.where(squared < REACH**2, torch.exp(-squared / 2), 0)
            share /= share.sum(-1, keepdim=True).clamp_min(1e-12)
            kept = (share > 0) & ((place >= 0) & (place < resolution)).all(-1)
            x, y, z = place[kept].unbind(-1)
            place = (z * resolution + y) * resolution + x
            yield of[:, None].expand(kept.shape)[kept].int(), place.int(), share[kept]


def dilogarithm(x: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """Li₂(x) = Σ xᵏ / k² from k = 1 on, for 0 <= x < 1; by Euler's reflection where x is over ½."""
    k = torch.arange(1, TERMS, device=x.device, dtype=torch.float64)

    def series(y: Tensor) -> Tensor:
        return (y.double()[..., None] ** k / k**2).sum(-1)

    reflected = math.pi**2 / 6 - x.double().log() * torch.log1p(-x.double()) - series(1 - x)
    return torch.where(x > 0.5, reflected, series(x)).to(x)


def _most_in_cells(density: Float[Tensor, "Z Y X"]) -> Float[Tensor, "G G G"]:
    """The largest density in each cell of a field's occupancy grid, or somewhat more."""
    side = len(density)
    radius = math.ceil((side - 1) / CELLS / 2) + 1
    around = max_pool3d(density[None, None], 2 * radius + 1, stride=1, padding=radius)[0, 0]
    middle = ((torch.arange(CELLS, device=density.device) + 0.5) / CELLS * (side - 1)).round().long()
    return around[middle][:, middle][:, :, middle]
