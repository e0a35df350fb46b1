"""GaussianDreamer: points of a rough shape grow into Gaussians. After Yi et al. 2023 (arXiv 2310.08529).

1. shape      a rough one; in the paper a diffusion model of 3-D shapes makes it at once, here a hash grid
              does by SDS in few steps
2. gaussians  at points of its surface and at others around it ("noisy point growing": points drawn in its
              box and kept near the surface, with its colours disturbed), by SDS

"""

from __future__ import annotations

import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor
from trimesh import PointCloud

from distill3d.formats.points import as_gaussians
from distill3d.objectives.sds import SDS
from distill3d.recipes._surfaces import mesh_of, points_of
from distill3d.representations._primitives import LEARNED
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.hash_grid import HashGrid
from distill3d.scene import Scene
from distill3d.studio import Pace, Studio

NEAR = 0.02  # of the box, how far from the surface a grown point may be
DISTURBED = 0.2  # of a colour's range
OPACITY = 0.5
CLIP = (1.5, 2.0)


def gaussiandreamer(studio: Studio) -> Scene:
    """A shape, and what grows on it."""
    rough = studio.stage(
        "shape",
        HashGrid.start(seed=studio.seed),
        studio.score(SDS),
        published=Pace(1000, views=4, size=64),
        quick=Pace(80, views=4, size=48),
    )
    count = 10000 if studio.published else 2000
    places, colours = points_of(mesh_of(rough, resolution=48), count, seed=studio.seed)
    start = gaussians_at(
        *grown(places, colours, seed=studio.seed), limit=20 * count if studio.published else 4 * count
    )
    limits = {"clip": CLIP} if studio.published else {}
    return studio.stage(
        "gaussians",
        start,
        studio.score(SDS, **limits),
        published=Pace(1200, views=4, size=1024),
        quick=Pace(80, views=4, size=64),
    )


def grown(
    places: Float[Tensor, "N 3"], colours: Float[Tensor, "N 3"], *, seed: int
) -> tuple[Float[Tensor, "M 3"], Float[Tensor, "M 3"]]:
    """Points, and as many of those drawn in their box that fall near them, in their disturbed colours."""
    generator = torch.Generator().manual_seed(seed)
    low, high = places.amin(0), places.amax(0)
    drawn = low + (high - low) * torch.rand(20 * len(places), 3, generator=generator)
    reach = NEAR * float((high - low).norm())
    distance, nearest = KDTree(places.numpy()).query(drawn.numpy(), distance_upper_bound=reach)
    kept = torch.from_numpy(distance).isfinite().nonzero()[: len(places), 0]
    around = colours[torch.from_numpy(nearest)[kept]]
    noisy = around + DISTURBED * torch.rand(around.shape, generator=generator)
    return torch.cat([places, drawn[kept]]), torch.cat([colours, noisy.clamp(0, 1)])


def gaussians_at(places: Float[Tensor, "N 3"], colours: Float[Tensor, "N 3"], *, limit: int) -> Gaussians:
    """Half-opaque Gaussians as large as the gaps between the points."""
    state = as_gaussians(PointCloud(places.numpy(), colors=(colours * 255).round().byte().numpy()))
    state["opacity_logits"] = torch.full((len(places),), OPACITY).logit()
    return Gaussians(*(state[name] for name in LEARNED), limit=max(limit, len(places)))
