"""Colours of a mesh's texels from the field that the mesh was taken from: each along a short ray.

A ray comes from a little above its texel and goes straight in. So a network is asked at a few points for each
texel, and there are no pictures in between that would have to be sharp enough.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor

from distill3d.conversions._texels import Texels
from distill3d.field import Field
from distill3d.ops.march import march
from distill3d.ops.volume import composite

ABOVE, BELOW = 1.5, 3.0
"""Where rays begin and end, in units of how far off the surface may be."""
SEEN = 0.1
"""Alpha of a ray that has met something."""
AT_ONCE = 2**15
"""Rays."""


@torch.no_grad()
def squarely(field: Field, texels: Texels, centre: Float[Tensor, "3"], *, off: float) -> Float[Tensor, "P 3"]:
    """The colour of each texel as the field shows it from right above; where it shows nothing, the nearest's.

    The texels lie around `centre`, at most about `off` world units from what the field shows. Raises
    ValueError if no ray meets anything.
    """
    found = [
        _along(field, (points + centre + ABOVE * off * normals), -normals, (ABOVE + BELOW) * off)
        for points, normals in zip(texels.points.split(AT_ONCE), texels.normals.split(AT_ONCE), strict=True)
    ]
    values, alpha = (torch.cat(parts) for parts in zip(*found, strict=True))
    seen = alpha > SEEN
    if not seen.any():
        raise ValueError("the field shows nothing at the surface that was taken from it")
    rgb = (values / alpha.clamp_min(SEEN)[:, None]).clamp(0, 1)
    _, nearest = KDTree(texels.points[seen]).query(texels.points[~seen])
    rgb[~seen] = rgb[seen][torch.from_numpy(nearest)]
    return rgb


def _along(
    field: Field, origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"], length: float
) -> tuple[Float[Tensor, "R 3"], Float[Tensor, " R"]]:
    """What rays see of the field as far as `length`, premultiplied, and their alpha."""
    device = field.remembered.device
    origins, directions = origins.to(device), directions.to(device).contiguous()
    speeds = torch.ones_like(origins[:, 0])
    samples = march(
        origins, directions, field.occupied, step=field.step, near=0 * speeds, far=length * speeds
    )
    d = directions[samples.rays.long()] if field.directional else None
    log_density, rgb, _ = field.query(samples.points, d)
    image = composite(samples, speeds, log_density, rgb)
    return image.values.cpu(), image.alpha.cpu()
