"""Densification as sampling: Kheradmand et al. 2024, "3D Gaussian Splatting as Markov Chain Monte Carlo"
(arXiv 2404.09591).

Primitives that have died are moved to where living ones are, and new ones are born there, without a change of
the picture (equation 9); noise lets what is nearly transparent look around (equation 7); and two penalties
let what is not needed die (equation 10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distill3d.rotation import matrix_from_wxyz

if TYPE_CHECKING:
    from distill3d.representations._primitives import Primitives

FROM, UNTIL, EVERY = 1 / 60, 5 / 6, 1 / 300
"""The share of a run in which primitives move and are born, and that between two rounds."""
LEAST_STEPS = 25
"""Between two rounds of a short run: what has moved needs some to find its rates."""
BORN = 0.05
"""Share by which the number of primitives grows in a round."""
DEAD = 0.005
"""Opacity from which on down a primitive has died."""
NOISE, STEEPNESS, OPEN = 1e4, 100.0, 0.995
"""λ of the noise, and k and t of the sigmoid that gives it to the transparent alone. The paper's λ is 5e5,
for rates that are lower and runs that are longer; here less was measured to be better."""
DRAWN_AT_MOST = 0.999
"""A primitive of a greater opacity is drawn as if it had this one."""
OPACITY_WEIGHT, SCALE_WEIGHT = 0.01, 0.01


def penalty(scene: Primitives) -> Tensor:
    """λ_o Σ o + λ_Σ Σ √eig(Σ), as means (equation 10)."""
    opacity, scales = scene.opacity_logits.sigmoid(), scene.log_scales.exp()
    return OPACITY_WEIGHT * opacity.mean() + SCALE_WEIGHT * scales.mean()


def grow(
    scene: Primitives, step: int, steps: int, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> None:
    """Noise after every step; in each round the dead move to the living, and some are born."""
    every = max(round(EVERY * steps), LEAST_STEPS)
    if step % every == 0 and FROM * steps <= step <= UNTIL * steps:
        relocate(scene, optimizer, generator)
    _shake(scene, optimizer, generator)


def relocate(scene: Primitives, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> None:
    """Make the dead, and as many new ones as there is room for, copies of living ones that were drawn.

    A living one is drawn in proportion to its opacity, any number of times; it and its copies share what it
    was.
    """
    opacity = scene.opacity_logits.sigmoid()
    alive = opacity > DEAD
    born = min(int(scene.limit), int((1 + BORN) * len(opacity))) - len(opacity)
    homeless = len(opacity) - int(alive.sum()) + max(born, 0)
    if homeless == 0 or not alive.any():
        return
    drawn = torch.multinomial((opacity * alive).cpu(), homeless, replacement=True, generator=generator)
    drawn = drawn.to(opacity.device)
    copies = 1 + torch.bincount(drawn, minlength=len(opacity))
    rows = torch.arange(len(opacity) + max(born, 0), device=opacity.device)
    rows[torch.cat([~alive, alive.new_ones(len(rows) - len(alive))])] = drawn
    values = {name: value[rows] for name, value in scene.learned().items()}
    fresh = copies[rows] > 1
    shared, shrunk = share(opacity[rows[fresh]], copies[rows[fresh]])
    values["opacity_logits"][fresh] = torch.logit(shared.clamp(DEAD, 1 - 1e-6))
    values["log_scales"][fresh] += shrunk.log()[:, None]
    scene.rearrange(optimizer, rows, values, fresh)


def share(
    opacity: Float[Tensor, " M"], copies: Int64[Tensor, " M"]
) -> tuple[Float[Tensor, " M"], Float[Tensor, " M"]]:
    """Opacity of each of N copies that together are what one was, and the factor of its scales (equation 9).

    The opacity o' = 1 − (1 − o)^(1/N) keeps the picture at the centre, and the factor
    o / Σ_k C(N, k) (−1)^(k−1) o'^k / √k, over k from 1 to N, its integral along a line through it. (The
    paper's double sum is this one, as Σ_i C(i − 1, k) = C(N, k + 1).)
    """
    o, n = opacity.double().clamp_max(DRAWN_AT_MOST), copies.double()
    each = -torch.expm1(torch.log1p(-o) / n)
    term, total = torch.ones_like(o), torch.zeros_like(o)
    for k in range(1, int(copies.max()) + 1):
        term = term * -each * (n - k + 1).clamp_min(0) / k
        total = total - term / k**0.5
    return each.to(opacity), (o / total).to(opacity)


def _shake(scene: Primitives, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> None:
    """μ += λ lr σ(−k (o − (1 − t))) Σ η, with normal η (equation 7)."""
    rate = next(group["lr"] for group in optimizer.param_groups if group["name"] == "means")
    eta = torch.randn(scene.means.shape, generator=generator).to(scene.means.device)
    axes = matrix_from_wxyz(scene.wxyz)[..., : scene.log_scales.shape[1]]
    variances = (2 * scene.log_scales).exp()
    noise = (axes @ (variances * (axes.mT @ eta[..., None])[..., 0])[..., None])[..., 0]
    openness = (STEEPNESS * (1 - OPEN - scene.opacity_logits.sigmoid())).sigmoid()
    scene.means += NOISE * rate * openness[:, None] * noise
