"""A field to Gaussians or surfels that look like it, without any fitting.

Points are drawn where light ends, and gathered in clusters. A primitive is as wide as its cluster, flat along
the normal, which is the field's mean one there, and takes the light that the cluster's layer takes:
α = 1 − exp(−σ ℓ), with the mean density σ and the thickness ℓ of an even layer that deviates as much along
the normal. (He et al. 2024, arXiv 2405.09717, take a field's density for a logit, and balls for primitives.)
Colours are the harmonics that come nearest to the field's over the directions from which the front is seen.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from distill3d import sh
from distill3d.conversions._clusters import Clusters, clusters
from distill3d.conversions._visible import visible_points
from distill3d.field import Field
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.rotation import wxyz_between

POINTS_EACH = 8
"""Points drawn for each primitive."""
WIDTH = {"gaussians": 1.8, "surfels": 2.0}
FLATNESS = 0.7
"""Deviations of a primitive in its plane and along its normal, as multiples of its points'."""
LIKE_OTHERS = 4.0
"""A cluster's deviations are taken together with those of so many points as they are on average."""
EVEN_LAYER = math.sqrt(12)
"""Thickness of an even layer over its standard deviation."""
LEAST, MOST = 0.01, 0.99
"""Opacities."""
DIRECTIONS, RIDGE, BEHIND = 48, 1e-2, 0.1
"""Of sight for each primitive's colours; the weight of small coefficients; the cosine from which on a
direction sees a primitive from behind."""


def field_to_primitives(
    source: Field, kind: Literal["gaussians", "surfels"], *, count: int, degree: int = 2, seed: int = 0
) -> Gaussians | Surfels:
    """At most `count` primitives that look like `source`, ready to be refined; they do not grow further.

    `degree` is that of the harmonics; where the source's colours do not depend on the direction, it is 0.
    Raises ValueError if the source shows nothing, and for a count or degree that cannot be.
    """
    if count < 1 or not 0 <= degree <= sh.MAX_DEGREE:
        raise ValueError(
            f"given count {count} and degree {degree}, expected 1 or more and 0 to {sh.MAX_DEGREE}"
        )
    generator = torch.Generator().manual_seed(seed)
    points = visible_points(source, POINTS_EACH * count, generator)
    found = clusters(points.cpu(), count, generator)
    normals = normalize(found.mean(_normals(source, points).cpu()), dim=-1)
    means = found.mean(points.cpu())
    wide, thick = _deviations(found, points.cpu() - means[found.of], normals)
    with torch.no_grad():
        density = found.mean(source.log_density(points).exp().cpu())
    opacity = -torch.expm1(-density * EVEN_LAYER * thick)
    scales = [WIDTH[kind] * wide] * 2
    if kind == "gaussians":
        scales.append(torch.minimum(FLATNESS * thick, scales[0]))
    learned = (
        means,
        wxyz_between(torch.tensor([0.0, 0, 1]), normals),
        torch.stack(scales, -1).log(),
        torch.logit(opacity.clamp(LEAST, MOST)),
        _harmonics(source, points, found, means, normals, degree, generator),
    )
    made = (Gaussians if kind == "gaussians" else Surfels)(*learned, degree=degree)
    made.photographed.fill_(True)
    made.scene_transform.copy_(source.scene_transform)
    return made.to(points.device)


def _normals(field: Field, points: Float[Tensor, "S 3"]) -> Float[Tensor, "S 3"]:
    return torch.cat([field.normal(some).detach() for some in points.split(2**16)])


def _deviations(
    found: Clusters, offsets: Float[Tensor, "S 3"], normals: Float[Tensor, "C 3"]
) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Standard deviations of each cluster's points in its plane and along its normal."""
    along = (offsets * normals[found.of]).sum(-1).square()
    across = (offsets.square().sum(-1) - along).clamp_min(0) / 2

    def deviation(variance: Tensor) -> Tensor:
        common = LIKE_OTHERS * variance.mean()
        return ((found.sum(variance) + common) / (found.sizes + LIKE_OTHERS)).clamp_min(1e-12).sqrt()

    return deviation(across), deviation(along)


@torch.no_grad()
def _harmonics(
    field: Field,
    points: Float[Tensor, "S 3"],
    found: Clusters,
    means: Float[Tensor, "C 3"],
    normals: Float[Tensor, "C 3"],
    degree: int,
    generator: torch.Generator,
) -> Float[Tensor, "C K 3"]:
    """Mean colours of the clusters, or, where colours depend on the direction, those at their means."""
    if not field.directional:
        return sh.degree_0_from_rgb(found.mean(field.query(points, None)[1].cpu()))[:, None]
    directions = normalize(torch.randn(DIRECTIONS, 3, generator=generator), dim=-1)
    at = means.to(points.device)
    seen = [field.query(at, along.to(at).expand_as(at))[1].cpu() for along in directions]
    in_front = (normals @ directions.T < BEHIND).float()
    return fitted_harmonics(directions, torch.stack(seen, 1), in_front, degree)


def fitted_harmonics(
    directions: Float[Tensor, "D 3"],
    colours: Float[Tensor, "N D 3"],
    weights: Float[Tensor, "N D"],
    degree: int,
) -> Float[Tensor, "N K 3"]:
    """Coefficients whose `sh.radiance` along unit `directions` comes nearest to `colours`.

    Weighted least squares, with a small weight on the squared coefficients, which decides where directions
    without weight leave them open.
    """
    basis = sh.basis(directions, degree)
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-6)
    square = torch.einsum("nd,dk,dl->nkl", weights, basis, basis)
    right = torch.einsum("nd,dk,ndc->nkc", weights, basis, colours - 0.5)
    ridge = RIDGE * torch.eye(basis.shape[1]).to(square) / (4 * math.pi)
    return torch.linalg.solve(square + ridge, right)
