"""The definition of `rasterize` in plain torch: every triangle against every pixel, in any float type.

A pixel's ray d (camera z = 1) meets the plane of the camera-space corners p0, p1, p2 where
d = w0 p0 + w1 p1 + w2 p2. The w are linear in the pixel's position, their sum is 1 / depth, and their shares
are the perspective-correct barycentric coordinates. So a triangle that crosses the near plane needs no
clipping: its part in front is drawn, because each pixel is tested against the planes.

Source: Olano and Greer 1997, Triangle Scan Conversion using 2D Homogeneous Coordinates.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops._views import each

EDGE_TOLERANCE = 1e-6
"""Barycentric share by which a triangle is grown, so that no pixel centre falls between two neighbours."""
TRIANGLES_AT_ONCE = 256


def inverse_corners(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], camera: Cameras
) -> Float[Tensor, "F 3 3"]:
    """For each triangle the matrix that takes a ray d to (w0, w1, w2); NaN for triangles seen edge-on."""
    world_to_camera = camera.world_to_camera.to(vertices)
    in_camera = vertices @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    p0, p1, p2 = in_camera[faces].unbind(1)
    normal = torch.linalg.cross(p1 - p0, p2 - p0)
    volume = (p0 * normal).sum(-1)
    w1, w2 = torch.linalg.cross(p2 - p0, p0), torch.linalg.cross(p0, p1 - p0)
    rows = torch.stack([normal - w1 - w2, w1, w2], 1)
    return torch.where(volume[:, None, None] == 0, torch.nan, rows / volume[:, None, None])


def visible(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    camera: Cameras,
    rays: Float[Tensor, "H W 3"],
) -> Int[Tensor, "H W"]:
    """The nearest triangle of each pixel, or -1."""
    inverse = inverse_corners(vertices, faces, camera)
    nearest = torch.zeros_like(rays[..., 0])
    triangle = torch.full(nearest.shape, -1, dtype=torch.int32, device=vertices.device)
    for first in range(0, len(faces), TRIANGLES_AT_ONCE):
        shares = torch.einsum("fij,hwj->fhwi", inverse[first : first + TRIANGLES_AT_ONCE], rays)
        inverse_depth = shares.sum(-1)
        inside = (shares >= -EDGE_TOLERANCE * inverse_depth[..., None]).all(-1)
        in_depth = (inverse_depth * camera.near <= 1) & (inverse_depth * camera.far >= 1)
        best, which = torch.where(inside & in_depth, inverse_depth, 0).max(0)
        triangle = torch.where(best > nearest, (first + which).int(), triangle)
        nearest = torch.maximum(best, nearest)
    return triangle


def rays_in_camera(camera: Cameras, like: Tensor) -> Float[Tensor, "H W 3"]:
    """Directions through pixel centres in the camera's frame, with z = 1."""
    fx, fy, cx, cy = camera.intrinsics.to(like).unbind()
    x = (torch.arange(camera.width).to(like) + 0.5 - cx) / fx
    y = (torch.arange(camera.height).to(like) + 0.5 - cy) / fy
    one = torch.ones(camera.height, camera.width).to(like)
    return torch.stack([*torch.meshgrid(x, y, indexing="xy"), one], -1)


def rasterize_one(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], camera: Cameras
) -> tuple[Int[Tensor, "H W"], Float[Tensor, "H W 3"], Float[Tensor, "H W"], Float[Tensor, "H W 3 2"]]:
    """Triangle, barycentric, depth and derivatives for one camera; see `distill3d.ops.mesh.rasterize`."""
    rays = rays_in_camera(camera, vertices)
    with torch.no_grad():
        triangle = visible(vertices, faces, camera, rays)
    seen = triangle >= 0
    inverse = inverse_corners(vertices, faces[triangle[seen].long()], camera)
    w = torch.einsum("pij,pj->pi", inverse, rays[seen])
    inverse_depth, kept = w.sum(-1), w.clamp_min(0)
    b = kept / kept.sum(-1, keepdim=True)
    by_pixel = (inverse[..., :2] / camera.intrinsics[:2].to(vertices)).detach()
    slopes = by_pixel - b.detach()[..., None] * by_pixel.sum(1, keepdim=True)

    def picture(values: Tensor) -> Tensor:
        return values.new_zeros(*seen.shape, *values.shape[1:]).index_put((seen,), values)

    derivatives = slopes / inverse_depth.detach()[:, None, None]
    return triangle, picture(b), picture(1 / inverse_depth), picture(derivatives)


def rasterize(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], cameras: Cameras
) -> tuple[
    Int[Tensor, "*B H W"], Float[Tensor, "*B H W 3"], Float[Tensor, "*B H W"], Float[Tensor, "*B H W 3 2"]
]:
    """Triangle, barycentric, depth and derivatives for every camera, one after the other."""
    parts = [rasterize_one(vertices, faces, camera) for camera in each(cameras)]
    return tuple(
        torch.stack(part).reshape(*cameras.shape, *part[0].shape) for part in zip(*parts, strict=True)
    )  # type: ignore[return-value]
