"""Regularisers: what surfaces have in common, whatever the prompt. Each is a scalar to add to a loss.

Weights that papers give are for means, as here. What changes over a run is said with `Moment.between`.
Letters: w_i are the blending weights of the samples along a ray, α = Σ w_i.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding, normalize

SOFTNESS = 0.01  # of the square root in `sparsity`
LEAST_DOUBT = 1e-3  # α is kept so far from 0 and 1 in `opacity_entropy`
SOLID_FROM = 0.5  # α over which a ray has met a surface


def orientation(
    normals: Float[Tensor, "*S 3"], directions: Float[Tensor, "*S 3"], weights: Float[Tensor, "*S"]
) -> Float[Tensor, ""]:
    """Surfaces face whoever sees them: mean of sg(w) max(0, n·d)² over what the weights count.

    normals: outward unit vectors; directions: unit vectors of sight, away from the eye. Samples along rays or
    pixels alike. No gradient reaches the weights, so that nothing fades instead of turning.

    Source: Poole et al. 2022, DreamFusion (arXiv 2209.14988), appendix A.2. Weight 10 to 1000.
    """
    away = (normals * directions).sum(-1).clamp_min(0).square()
    w = weights.detach()
    return (w * away).sum() / w.sum().clamp_min(1e-6)


def sparsity(alpha: Float[Tensor, "*S"]) -> Float[Tensor, ""]:
    """Most rays meet nothing: mean √(α² + 0.01), 0.1 where all is empty.

    Source: Poole et al. 2022, DreamFusion (arXiv 2209.14988), appendix A.2. Weight 1 to 10.
    """
    return (alpha.square() + SOFTNESS).sqrt().mean()


def opacity_entropy(alpha: Float[Tensor, "*S"]) -> Float[Tensor, ""]:
    """Rays meet a surface or none: mean entropy of α in nats, ln 2 where α is a half.

    α counts as at least 0.001 from 0 and 1, where the derivative would be infinite; beyond it there is none.
    """
    doubt = alpha.clamp(LEAST_DOUBT, 1 - LEAST_DOUBT)
    return (torch.special.entr(doubt) + torch.special.entr(1 - doubt)).mean()


def depth_variance(weights: Float[Tensor, "R K"], depths: Float[Tensor, "R K"]) -> Float[Tensor, ""]:
    """A surface is thin: mean over solid rays of Σ w (z - z̄)² / α, in squared world units.

    weights, depths: of the K samples of each of R rays. Rays with α under a half do not count.

    Source: Zhu & Zhuang 2023, HiFA (arXiv 2305.18766), equation 12. Weight 100.
    """
    moments = ((weights * depths**power).sum(-1) for power in (0, 1, 2))
    return depth_variance_of_moments(*moments)


def depth_variance_of_moments(
    alpha: Float[Tensor, " R"], depth: Float[Tensor, " R"], squared: Float[Tensor, " R"]
) -> Float[Tensor, ""]:
    """`depth_variance` from Σ w, Σ w z and Σ w z² of each ray, as renderers have them."""
    safe = alpha.clamp_min(1e-6)
    variance = squared / safe - (depth / safe).square()
    solid = (alpha > SOLID_FROM).to(variance)
    return (solid * variance).sum() / solid.sum().clamp_min(1)


def normal_smoothness(
    normals: Float[Tensor, "*B H W 3"], alpha: Float[Tensor, "*B H W 1"]
) -> Float[Tensor, ""]:
    """Neighbouring pixels of a surface face alike: mean of one less the cosine between their normals.

    normals: as rendered, premultiplied; only their directions count. Pairs weigh as the product of their
    alphas, through which no gradient goes.
    """
    unit, seen = normalize(normals, dim=-1), alpha.detach()
    total, count = normals.new_zeros(()), normals.new_zeros(())
    for axis in (-3, -2):
        (n, n_next), (a, a_next) = _neighbours(unit, axis), _neighbours(seen, axis)
        pair = (a * a_next)[..., 0]
        total = total + (pair * (1 - (n * n_next).sum(-1))).sum()
        count = count + pair.sum()
    return total / count.clamp_min(1e-6)


def total_variation(image: Float[Tensor, "*B H W C"]) -> Float[Tensor, ""]:
    """Few edges: mean absolute difference of neighbouring pixels, down and across; for colour and for depth.

    Source: Rudin, Osher & Fatemi 1992, Nonlinear Total Variation, in its anisotropic form.
    """
    return image.diff(dim=-3).abs().mean() + image.diff(dim=-2).abs().mean()


def laplacian(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, ""]:
    """Even meshes: mean squared distance of a vertex to the mean of its neighbours, in world units.

    Vertices of no face do not count. Source: Sorkine 2005, Laplacian Mesh Processing, with uniform weights.
    """
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).long()
    both_ways = torch.unique(torch.cat([edges, edges.flip(-1)]), dim=0)
    at, other = both_ways.unbind(-1)
    degree = torch.bincount(at, minlength=len(vertices)).to(vertices)
    summed = torch.zeros_like(vertices).index_add(0, at, embedding(other, vertices))
    apart = (vertices - summed / degree.clamp_min(1)[:, None]).square().sum(-1)
    return (apart * (degree > 0)).sum() / (degree > 0).sum().clamp_min(1)


def eikonal(gradients: Float[Tensor, "*S 3"]) -> Float[Tensor, ""]:
    """A signed distance rises by one per world unit: mean of (‖∇f‖ - 1)².

    Source: Gropp et al. 2020, Implicit Geometric Regularization (arXiv 2002.10099), equation 2.
    """
    # the root is moved off 0, where the norm has no derivative
    return ((gradients.square().sum(-1) + 1e-12).sqrt() - 1).square().mean()


def mean_scale(log_scales: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """Small primitives: mean of their standard deviations, in world units.

    Source: Liang et al. 2023, LucidDreamer (arXiv 2311.11284), its published settings. Weight 1.
    """
    return log_scales.exp().mean()


def _neighbours(image: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """All pixels but the last along an axis, and the one after each."""
    count = image.shape[axis] - 1
    return image.narrow(axis, 0, count), image.narrow(axis, 1, count)
