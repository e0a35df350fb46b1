"""Which part is seen where: exact pictures of a model's labels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops.mesh import rasterize
from distill3d.world import picture
from distill3d.world.model import Model


def labels_seen(model: Model, cameras: Cameras, *, supersample: int = 2) -> Float[Tensor, "B H W K"]:
    """The share of each pixel that each of `model.labels` has, of supersample² rays; their sum is alpha."""
    whole = picture.joined(model.surfaces)
    sizes = torch.tensor([len(surface.faces) for surface in model.surfaces])
    labels = torch.tensor([model.labels.index(part.label) for part in model.parts])
    of_face = torch.cat([labels.repeat_interleave(sizes), torch.tensor([len(model.labels)])])
    vertices, faces = torch.from_numpy(whole.vertices).float(), torch.from_numpy(whole.faces).int()
    fine = cameras.resized(cameras.width * supersample, cameras.height * supersample)
    shares = []
    for view in range(len(fine)):
        triangle = rasterize(vertices, faces, fine[view : view + 1]).triangle[0].long()
        seen = torch.nn.functional.one_hot(of_face[triangle], len(model.labels) + 1)[..., :-1].float()
        shares.append(seen.unflatten(1, (-1, supersample)).unflatten(0, (-1, supersample)).mean((1, 3)))
    return torch.stack(shares)
