"""Real spherical harmonics up to degree 3, with the order and signs of 3D Gaussian Splatting.

Term l(l+1)+m of degree l, orthonormal over the sphere; the Condon-Shortley phase is kept, so the degree-1
terms are -y, z, -x times a constant.

Source: Kerbl et al. 2023 (arXiv 2308.04079), whose files this order reads; Sloan 2013, Efficient Spherical
Harmonic Evaluation (JCGT 2(2)), for the polynomials.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

MAX_DEGREE = 3
DEGREE_0 = 0.5 / math.sqrt(math.pi)
"""The constant harmonic, 1 / sqrt(4 pi)."""


def degree_of(terms: int) -> int:
    """The degree whose basis has this many terms: (degree + 1)²."""
    degree = math.isqrt(terms) - 1
    if degree < 0 or degree > MAX_DEGREE or (degree + 1) ** 2 != terms:
        raise ValueError(
            f"given {terms} harmonics, expected 1, 4, 9 or 16; cut or pad them to a whole degree"
        )
    return degree


def basis(directions: Float[Tensor, "*S 3"], degree: int) -> Float[Tensor, "*S K"]:
    """The (degree + 1)² harmonics along unit `directions`."""
    if not 0 <= degree <= MAX_DEGREE:
        raise ValueError(f"given degree {degree}, expected 0 to {MAX_DEGREE}")
    x, y, z = directions.unbind(-1)
    terms = [torch.full_like(x, DEGREE_0)]
    if degree >= 1:
        linear = math.sqrt(3 / (4 * math.pi))
        terms += [-linear * y, linear * z, -linear * x]
    xx, yy, zz, xy, yz, xz = x * x, y * y, z * z, x * y, y * z, x * z
    if degree >= 2:
        mixed = math.sqrt(15 / (4 * math.pi))
        terms += [
            mixed * xy,
            -mixed * yz,
            math.sqrt(5 / (16 * math.pi)) * (2 * zz - xx - yy),
            -mixed * xz,
            mixed / 2 * (xx - yy),
        ]
    if degree >= 3:
        third, second = math.sqrt(35 / (32 * math.pi)), math.sqrt(105 / (4 * math.pi))
        first, zeroth = math.sqrt(21 / (32 * math.pi)), math.sqrt(7 / (16 * math.pi))
        terms += [
            -third * y * (3 * xx - yy),
            second * xy * z,
            -first * y * (4 * zz - xx - yy),
            zeroth * z * (2 * zz - 3 * xx - 3 * yy),
            -first * x * (4 * zz - xx - yy),
            second / 2 * z * (xx - yy),
            -third * x * (xx - 3 * yy),
        ]
    return torch.stack(terms, -1)


def radiance(coefficients: Float[Tensor, "N K 3"], directions: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
    """Colour along unit `directions`, eye to point: the harmonics' sum plus 0.5, at least 0."""
    values = basis(directions, degree_of(coefficients.shape[-2]))
    return ((values[..., None] * coefficients).sum(-2) + 0.5).clamp_min(0)


def degree_0_from_rgb(rgb: Float[Tensor, "*S 3"]) -> Float[Tensor, "*S 3"]:
    """The constant coefficient that `radiance` shows as `rgb`."""
    return (rgb - 0.5) / DEGREE_0


def rgb_from_degree_0(coefficients: Float[Tensor, "*S 3"]) -> Float[Tensor, "*S 3"]:
    """The view-independent colour of a constant coefficient; not clamped."""
    return coefficients * DEGREE_0 + 0.5


def rotate(coefficients: Float[Tensor, "*S K 3"], rotation: Float[Tensor, "3 3"]) -> Float[Tensor, "*S K 3"]:
    """The harmonics of the same radiance turned by `rotation`: what was seen along d is seen along R d.

    Each degree mixes within itself, by the matrix ∫ Y(ω) Y(Rᵀω)ᵀ dω (Wigner's, in the real basis), which the
    quadrature gives exactly because the product is of degree 6 at most.
    """
    degree = degree_of(coefficients.shape[-2])
    directions, weights = (t.to(rotation.device) for t in _quadrature())
    before, after = (basis(d, degree) for d in (directions @ rotation.double(), directions))
    mixing = (after * weights[:, None]).mT @ before
    return (mixing.to(coefficients) @ coefficients).contiguous()


def _quadrature() -> tuple[Float[Tensor, "D 3"], Float[Tensor, "D"]]:
    """Directions and weights that integrate polynomials of degree 7 over the sphere exactly.

    Gauss and Legendre's rule along the axis, even steps around it.
    """
    heights, weights = (torch.from_numpy(values) for values in np.polynomial.legendre.leggauss(4))
    azimuths_rad = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
    z, azimuth_rad = torch.meshgrid(heights, azimuths_rad, indexing="ij")
    radius = (1 - z * z).sqrt()
    directions = torch.stack([radius * azimuth_rad.cos(), radius * azimuth_rad.sin(), z], -1)
    return directions.reshape(-1, 3), weights.repeat_interleave(8) * (2 * math.pi / 8)
