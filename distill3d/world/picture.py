"""Pictures of surfaces: triangles are rasterised and take the light that was worked out beforehand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops.mesh import rasterize
from distill3d.rendering import Rendering, concatenate
from distill3d.world.colours import RGB
from distill3d.world.shading import corner_normals, light
from distill3d.world.surfaces import Surface

OPEN_WITHIN = 0.15
CLOSED = 0.62
"""Light that is left in a corner, and the distance within which other parts take light away."""
RAYS_AT_ONCE = 2**21


@dataclass(frozen=True)
class LitMesh:
    """Triangles with a lit colour and a normal at each corner."""

    vertices: Float[Tensor, "V 3"]
    faces: Int[Tensor, "F 3"]
    corner_rgb: Float[Tensor, "F 3 3"]
    corner_normal: Float[Tensor, "F 3 3"]


def joined(surfaces: Sequence[Surface]) -> Surface:
    """Several surfaces as one, not cut where they overlap."""
    starts = np.cumsum([0, *(len(surface.vertices) for surface in surfaces[:-1])])
    return Surface(
        np.concatenate([surface.vertices for surface in surfaces]),
        np.concatenate([surface.faces + start for surface, start in zip(surfaces, starts, strict=True)]),
    )


def lit(
    surfaces: Sequence[Surface], colours: Sequence[RGB], signed_distance: Callable[[Tensor], Tensor]
) -> LitMesh:
    """Light the surfaces. `signed_distance` of the whole tells how open a place is (ambient occlusion).

    Source of the occlusion: Evans, "Fast approximations for global illumination on dynamic scenes", 2006.
    """
    whole = joined(surfaces)
    normals = np.concatenate([corner_normals(surface) for surface in surfaces])
    albedo = np.repeat(colours, [len(surface.faces) for surface in surfaces], axis=0)[:, None]
    above = (whole.vertices[whole.faces] + OPEN_WITHIN * normals).reshape(-1, 3)
    above, corner = np.unique(above.round(5), axis=0, return_inverse=True)
    openness = (signed_distance(torch.from_numpy(above)).numpy() / OPEN_WITHIN).clip(0, 1)
    brightness = light(normals) * (CLOSED + (1 - CLOSED) * openness[corner].reshape(-1, 3))
    return LitMesh(
        torch.from_numpy(whole.vertices).float(),
        torch.from_numpy(whole.faces).int(),
        torch.from_numpy((albedo * brightness[..., None]).clip(0, 1)).float(),
        torch.from_numpy(normals).float(),
    )


def render(mesh: LitMesh, cameras: Cameras, *, want: Collection[str], supersample: int) -> Rendering:
    """Pictures from `cameras`: the mean of supersample² rays for each pixel."""
    if unknown := set(want) - {"rgb", "alpha", "depth", "normal"}:
        raise ValueError(f"a model renders rgb, alpha, depth and normal, not {', '.join(sorted(unknown))}")
    if supersample < 1:
        raise ValueError(f"supersample is {supersample}; give the rays along a pixel's side, 1 or more")
    flat = cameras.shape.numel()
    views = Cameras(
        cameras.world_to_camera.reshape(flat, 4, 4), cameras.intrinsics.reshape(flat, 4),
        cameras.width, cameras.height, cameras.near, cameras.far,
    )  # fmt: skip
    fine = views.resized(cameras.width * supersample, cameras.height * supersample)
    at_once = max(1, RAYS_AT_ONCE // (fine.width * fine.height))
    pieces = [_render(mesh, fine[i : i + at_once], want, supersample) for i in range(0, flat, at_once)]
    whole = concatenate(pieces)
    shape = (*cameras.shape, cameras.height, cameras.width)
    return Rendering(
        whole.rgb.reshape(*shape, 3),
        whole.alpha.reshape(*shape, 1),
        None if whole.depth is None else whole.depth.reshape(*shape, 1),
        None if whole.normal is None else whole.normal.reshape(*shape, 3),
    )


def _render(mesh: LitMesh, views: Cameras, want: Collection[str], supersample: int) -> Rendering:
    fragments = rasterize(mesh.vertices, mesh.faces, views)
    seen = (fragments.triangle.reshape(-1) >= 0).nonzero()[:, 0]
    triangle = fragments.triangle.reshape(-1)[seen].long()
    weight = fragments.barycentric.reshape(-1, 3)[seen]
    shape = fragments.triangle.shape

    def picture(values: Tensor) -> Tensor:
        """Values of the rays that hit, spread over the picture and averaged in each pixel."""
        full = values.new_zeros(shape.numel(), values.shape[-1])
        full[seen] = values
        full = full.reshape(*shape, -1)
        return full.unflatten(-2, (-1, supersample)).unflatten(-4, (-1, supersample)).mean((-2, -4))

    def on_surface(corners: Tensor) -> Tensor:
        return torch.einsum("nkc,nk->nc", corners[triangle], weight)

    rgb = picture(on_surface(mesh.corner_rgb))
    alpha = picture(torch.ones_like(weight[:, :1]))
    depth = picture(fragments.depth.reshape(-1, 1)[seen]) if "depth" in want else None
    normal = None
    if "normal" in want:
        normal = picture(torch.nn.functional.normalize(on_surface(mesh.corner_normal), dim=-1))
    return Rendering(rgb, alpha, depth, normal)
