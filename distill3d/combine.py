"""How directions in picture space are put together, limited and scaled. Each picture is a vector."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.prior import per_picture


def dot(a: Float[Tensor, "B ..."], b: Float[Tensor, "B ..."]) -> Float[Tensor, "B"]:
    """The scalar product of each pair of pictures."""
    return (a * b).flatten(1).sum(-1)


def perpendicular(a: Float[Tensor, "B ..."], to: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
    """What is left of `a` without its part along `to`; all of it where `to` is zero."""
    share = dot(a, to) / dot(to, to).clamp_min(torch.finfo(a.dtype).tiny)
    return a - per_picture(share, a) * to


def minimum_norm(a: Float[Tensor, "B ..."], b: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
    """The shortest of κ a + (1 - κ) b, κ in [0, 1]: it has a part along both, never against one.

    Source: Désidéri 2012, multiple-gradient descent, for two gradients: κ = ⟨b - a, b⟩ / ‖b - a‖².
    """
    along = dot(b - a, b) / dot(b - a, b - a).clamp_min(torch.finfo(a.dtype).tiny)
    kappa = per_picture(along.clamp(0, 1), a)
    return kappa * a + (1 - kappa) * b


def robust(y: Float[Tensor, "B ..."], c: float) -> Float[Tensor, "B ..."]:
    """The derivative of the pseudo-Huber distance √(‖y‖² + c²) - c: y / √(‖y‖² + c²), never longer than 1."""
    return y / per_picture((dot(y, y) + c**2).sqrt(), y)


def clipped(g: Float[Tensor, "B ..."], limit: float) -> Float[Tensor, "B ..."]:
    """Each element moved into [-limit, limit]; what is not a number stays so."""
    return g.clamp(-limit, limit)


def normalised(g: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
    """Each picture scaled to a root mean square of 1; a zero stays zero."""
    size = g.flatten(1).square().mean(-1).sqrt()
    return g / per_picture(size.clamp_min(torch.finfo(g.dtype).tiny), g)
