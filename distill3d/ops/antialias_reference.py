"""The definition of `antialias` in plain torch, for all neighbouring pixels that see different faces.

On the way from the pixel that sees the nearer face to the other one, the surface is followed from face to
face until it ends or folds back: there is the silhouette. Edges steeper than 45° in the picture are found
along rows and the others along columns, so that no silhouette counts twice and the areas that pixels show are
its own. If it lies a part s of the way from the first pixel's centre to the second's, the second receives
s - ½ of the first's colour, or the first ½ - s of the second's; along rows first, then along columns.

Source: Laine et al. 2020 (arXiv 2011.03277), section 3.6, which looks at the nearer pixel's face only.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops._views import each
from distill3d.ops.mesh_reference import rays_in_camera

WALK_FACES = 16
"""So many faces may lie between a pixel's centre and the silhouette."""


def edge_normal(
    points: Float[Tensor, "V 3"], corners: Int[Tensor, "F 3"], corner: Int[Tensor, "P"]
) -> Tensor:
    """Normal of the plane of the eye and the edge opposite each corner, towards that corner's side."""
    face, k = corner // 3, corner % 3
    start = points[corners[face, (k + 1) % 3]]
    normal = torch.linalg.cross(start, points[corners[face, (k + 2) % 3]] - start)
    inner = (normal * points[corners[face, k]]).sum(-1, keepdim=True)
    return torch.where(inner >= 0, normal, -normal)


def walk(
    points: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    opposite: Int[Tensor, "F 3"],
    face: Int[Tensor, "P"],
    n: Float[Tensor, "P 3"],
    m: Float[Tensor, "P 3"],
) -> Int[Tensor, "P"]:
    """The corner opposite the first silhouette edge on the way from ray n, on `face`, to ray m; or -1."""
    found = torch.full_like(face, -1)
    entry, walking = found.clone(), torch.ones_like(face, dtype=torch.bool)
    for _ in range(WALK_FACES):
        corners = 3 * face[:, None] + torch.arange(3, device=face.device)
        normals = edge_normal(points, faces, corners.reshape(-1)).reshape(-1, 3, 3)
        a = torch.einsum("pkx,px->pk", normals, n).clamp_min(0)
        b = torch.einsum("pkx,px->pk", normals, m)
        t = torch.where((b < 0) & (corners != entry[:, None]), a / (a - b), 2)
        nearest, which = t.min(1)
        corner = corners.gather(1, which[:, None])[:, 0]
        normal = normals[torch.arange(len(which), device=face.device), which]
        walking = walking & (nearest < 2)
        across = opposite.reshape(-1)[corner]
        beyond = points[faces.reshape(-1)[across.clamp_min(0)]]
        ends = (across < 0) | ~((normal * beyond).sum(-1) < 0)
        found = torch.where(walking & ends, corner, found)
        walking = walking & ~ends
        entry = torch.where(walking, across, entry)
        face = torch.where(walking, across // 3, face)
    return found


def joined(
    points: Tensor, faces: Tensor, opposite: Tensor, face: Int[Tensor, "P"], other: Int[Tensor, "P"]
) -> Bool[Tensor, "P"]:
    """Whether two faces meet at an edge that is no silhouette, and so are one surface."""
    corners = 3 * face[:, None] + torch.arange(3, device=face.device)
    across = opposite[face]
    meets = (across >= 0) & (across // 3 == other[:, None])
    normals = edge_normal(points, faces, corners.reshape(-1)).reshape(-1, 3, 3)
    beyond = points[faces.reshape(-1)[across.clamp_min(0)]]
    return (meets & ((normals * beyond).sum(-1) < 0)).any(1)


def shifts(
    points: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    opposite: Int[Tensor, "F 3"],
    triangle: Int[Tensor, "H W"],
    depth: Float[Tensor, "H W"],
    camera: Cameras,
    axis: int,
) -> Float[Tensor, "H W"]:
    """The s - ½ between each pixel and the next along axis 0 (columns) or 1 (rows); 0 for no crossing."""
    count = triangle.shape[axis] - 1
    first, second = (lambda v: v.narrow(axis, 0, count)), (lambda v: v.narrow(axis, 1, count))
    face, other = first(triangle).long(), second(triangle).long()
    farther = (face < 0) | ((other >= 0) & (second(depth) < first(depth)))
    differ = face != other
    swapped = farther[differ]
    near = torch.where(swapped, other[differ], face[differ])
    far = torch.where(swapped, face[differ], other[differ])
    rays = rays_in_camera(camera, points)
    here, there = first(rays)[differ], second(rays)[differ]
    n = torch.where(swapped[:, None], there, here)
    m = torch.where(swapped[:, None], here, there)
    with torch.no_grad():
        corner = walk(points, faces, opposite, near, n, m)
        one_surface = (far >= 0) & joined(points, faces, opposite, near, far)
        found = (corner >= 0) & ~one_surface
        across, down = (
            edge_normal(points, faces, corner.clamp_min(0))[:, :2] / camera.intrinsics[:2]
        ).unbind(-1)
        found &= (across.abs() >= down.abs()) == (axis == 1)
    at, n, m = corner[found], n[found], m[found]
    normal = edge_normal(points, faces, at)
    a, b = (normal * n).sum(-1), (normal * m).sum(-1)
    t = a / (a - b)
    s = torch.where(swapped[found], 1 - t, t)
    where = differ.nonzero()[found]
    out = torch.zeros_like(depth)
    return out.index_put(tuple(where.unbind(-1)), s - 0.5)


def blend(picture: Float[Tensor, "H W C"], shift: Float[Tensor, "H W"], axis: int) -> Float[Tensor, "H W C"]:
    """The picture with neighbours along an axis blended."""
    count = picture.shape[axis] - 1
    first, second = picture.narrow(axis, 0, count), picture.narrow(axis, 1, count)
    part = shift.narrow(axis, 0, count)[..., None]
    none = picture.narrow(axis, 0, 1) * 0
    to_first, to_second = (-part).clamp_min(0) * (second - first), part.clamp_min(0) * (first - second)
    return picture + torch.cat([to_first, none], axis) + torch.cat([none, to_second], axis)


def antialias(
    picture: Float[Tensor, "*B H W C"],
    triangle: Int[Tensor, "*B H W"],
    depth: Float[Tensor, "*B H W"],
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    opposite: Int[Tensor, "F 3"],
    cameras: Cameras,
) -> Float[Tensor, "*B H W C"]:
    """See `distill3d.ops.antialias.antialias`."""
    faces, opposite = faces.long(), opposite.long()
    views, size = cameras.shape.numel(), picture.shape[-3:]
    images, planes = picture.reshape(views, *size), (views, *size[:2])
    rows = zip(each(cameras), images, triangle.reshape(planes), depth.reshape(planes), strict=True)
    blended = []
    for camera, image, seen, z in rows:
        matrix = camera.world_to_camera.to(vertices)
        points = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        for axis in (1, 0):
            image = blend(image, shifts(points, faces, opposite, seen, z.to(vertices), camera, axis), axis)
        blended.append(image)
    return torch.stack(blended).reshape(picture.shape)
