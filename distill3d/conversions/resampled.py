"""Fields that are made of grids, from fields: looked up at the points of a grid.

Raw densities are those of `field.log_sharp`, kept between limits so that what lies between a full point and
an empty one is a surface. Harmonics are a least-squares fit, over directions, to the logits of the colours
that a point shows: the colour of a grid is the sigmoid of its harmonics.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import sh
from distill3d.conversions.inherited import look_into
from distill3d.field import CELLS, SHARPNESS, Field
from distill3d.representations.voxels import Voxels
from distill3d.survey import surround

FAINTEST, DENSEST = 0.03, 400.0
"""Densities per world unit between which grids are filled: next to nothing, and opaque in a hundredth."""
DIRECTIONS = 24
"""In which a point's colour is asked for, where it depends on them."""
EXTREME = 0.004
"""Colours nearer than this to 0 or 1, a step of a byte, have logits that no harmonics could follow."""
AT_ONCE = 2**18
"""Points that are looked up together."""


@torch.no_grad()
def voxels_of(source: Field, *, resolution: int, degree: int, coarser: int, samples: int) -> Voxels:
    """A dense grid with the densities and colours that `source` has at its points.

    Harmonics of degree 1 and more have `coarser` times fewer points along each side.
    """
    shape = Voxels.start(resolution=resolution, degree=degree, coarser=coarser, samples=samples)
    look_into(source)
    shape.raw_density.copy_(raw_densities(source, resolution))
    harmonics = _harmonics(source, resolution, degree)
    shape.base.copy_(harmonics[..., 0, :])
    if shape.higher is not None:
        side = len(shape.higher)
        there = harmonics if side == resolution else _harmonics(source, side, degree)
        shape.higher.copy_(there[..., 1:, :].flatten(-2))
    return shape


def _corners(resolution: int, device: torch.device) -> Float[Tensor, "P 3"]:
    """The points of a grid over [-1, 1]³, axes z, y, x in a row."""
    line = torch.linspace(-1, 1, resolution, device=device)
    z, y, x = torch.meshgrid(line, line, line, indexing="ij")
    return torch.stack([x, y, z], -1).reshape(-1, 3)


def _inside(source: Field, points: Float[Tensor, "P 3"]) -> Tensor:
    """Which points lie in a cell of `source` that is not empty."""
    x, y, z = ((points + 1) * (CELLS / 2)).long().clamp(0, CELLS - 1).unbind(1)
    return source.occupied[0, z, y, x]


def raw_densities(source: Field, resolution: int) -> Float[Tensor, "Z Y X"]:
    """Those of `source` at the points of a grid over [-1, 1]³: the inverse of `field.log_sharp`.

    It is asked for them only in cells that are not empty, and needs to have been looked into.
    """
    points = _corners(resolution, source.device)
    density = points.new_full((len(points),), FAINTEST)
    full = _inside(source, points).nonzero()[:, 0]
    for some in full.split(AT_ONCE):
        density[some] = source.log_density(points[some]).exp().clamp(FAINTEST, DENSEST)
    soft = density / SHARPNESS
    raw = soft + (-torch.expm1(-soft)).log()
    return raw.reshape(resolution, resolution, resolution)


def _harmonics(source: Field, resolution: int, degree: int) -> Float[Tensor, "Z Y X K 3"]:
    """Coefficients at the points that are not empty; elsewhere grey."""
    points = _corners(resolution, source.device)
    coefficients = points.new_zeros(len(points), (degree + 1) ** 2, 3)
    full = _inside(source, points).nonzero()[:, 0]
    from_around = surround(DIRECTIONS, size_px=1, lowest_elevation_rad=-math.pi / 2)
    directions = -torch.nn.functional.normalize(from_around.centres, dim=1).to(source.device)
    inverse = torch.linalg.pinv(sh.basis(directions, degree))
    for some in full.split(AT_ONCE // DIRECTIONS):
        coefficients[some] = torch.einsum("kd,dpc->pkc", inverse, _logits(source, points[some], directions))
    return coefficients.reshape(*[resolution] * 3, (degree + 1) ** 2, 3)


def _logits(
    source: Field, points: Float[Tensor, "P 3"], directions: Float[Tensor, "D 3"]
) -> Float[Tensor, "D P 3"]:
    """Logits of the colours of each point in each direction."""
    if not source.directional:
        rgb = source.query(points, None)[1].expand(len(directions), len(points), 3)
    else:
        each = [source.query(points, d.expand_as(points).contiguous())[1] for d in directions]
        rgb = torch.stack(each)
    return rgb.clamp(EXTREME, 1 - EXTREME).logit()
