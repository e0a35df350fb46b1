"""`antialias` on the compiled kernels."""

from __future__ import annotations

from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _library as c
from distill3d.ops._mesh_kernels import FRAGMENTS, MESH, CFragments, c_mesh, refuse_gradient


class CPicture(Structure):
    _fields_ = [("channels", c_int32), ("values", c_void_p)]


class CCrossings(Structure):
    _fields_ = [("shift", c_void_p), ("edge", c_void_p)]


PICTURE, CROSSINGS = POINTER(CPicture), POINTER(CCrossings)

c.declare(
    {
        "d3d_antialias_bytes": [c_int64, c.CAMERAS, MESH],
        "d3d_antialias": [
            c_int32, c.CAMERAS, MESH, c_void_p, FRAGMENTS, PICTURE, CROSSINGS, *[c_void_p] * 3, c.LAUNCH,
        ],
        "d3d_antialias_gradient_bytes": [c_int64, c.CAMERAS, MESH, c_int32, c.LAUNCH],
        "d3d_antialias_gradient": [
            c_int32, c.CAMERAS, MESH, PICTURE, CROSSINGS, *[c_void_p] * 5, c.LAUNCH,
        ],
    }
)  # fmt: skip


def antialias(
    library: str,
    picture: Tensor,
    triangle: Tensor,
    depth: Tensor,
    vertices: Tensor,
    faces: Tensor,
    opposite: Tensor,
    cameras: Cameras,
) -> Tensor:
    """See `distill3d.ops.antialias.antialias`."""
    refuse_gradient(library, cameras)
    world_to_camera, intrinsics = c.flat(cameras)
    batch = len(cameras.shape)
    images = [v.reshape(len(intrinsics), *v.shape[batch:]) for v in (picture, triangle, depth)]
    out = _antialias(
        library, *images, vertices, faces, opposite, world_to_camera, intrinsics, cameras.near, cameras.far
    )[0]
    return out.reshape(picture.shape)


@torch.library.custom_op(
    "distill3d::antialias",
    mutates_args=(),
    schema="(str library, Tensor picture, Tensor triangle, Tensor depth, Tensor vertices, Tensor faces, "
    "Tensor opposite, Tensor world_to_camera, Tensor intrinsics, float near, float far) "
    "-> (Tensor, Tensor, Tensor, Tensor)",
)
def _antialias(
    library: str,
    picture: Tensor,
    triangle: Tensor,
    depth: Tensor,
    vertices: Tensor,
    faces: Tensor,
    opposite: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    near: float,
    far: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The picture; then that between the passes, and the crossings' shifts and edges."""
    picture, triangle, depth, vertices = (t.contiguous() for t in (picture, triangle, depth, vertices))
    faces, opposite = (t.to(torch.int32).contiguous() for t in (faces, opposite))
    views, height, width, channels = picture.shape
    kernels, launch = c.library(library), byref(c.launch(picture.device))
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    mesh = byref(c_mesh(vertices, faces))
    halfway, out = torch.empty_like(picture), torch.empty_like(picture)
    shift = picture.new_empty(views, height, width, 2)
    edge = picture.new_empty(views, height, width, 2, dtype=torch.int32)
    scratch = c.workspace(kernels.d3d_antialias_bytes(cameras, mesh), picture.device)
    c.check(
        kernels.d3d_antialias(
            cameras,
            mesh,
            opposite.data_ptr(),
            byref(CFragments(triangle.data_ptr(), None, depth.data_ptr(), None)),
            byref(CPicture(channels, picture.data_ptr())),
            byref(CCrossings(shift.data_ptr(), edge.data_ptr())),
            halfway.data_ptr(),
            out.data_ptr(),
            scratch.data_ptr(),
            launch,
        )
    )
    return out, halfway, shift, edge


@_antialias.register_fake
def _(library: str, picture: Tensor, *others: object) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    pair = (*picture.shape[:-1], 2)
    return (
        picture.new_empty(picture.shape),
        picture.new_empty(picture.shape),
        picture.new_empty(pair),
        picture.new_empty(pair, dtype=torch.int32),
    )


@torch.library.custom_op(
    "distill3d::antialias_gradient",
    mutates_args=(),
    schema="(str library, Tensor by_out, Tensor picture, Tensor vertices, Tensor faces, "
    "Tensor world_to_camera, Tensor intrinsics, Tensor halfway, Tensor shift, Tensor edge, "
    "float near, float far) -> (Tensor, Tensor)",
)
def _gradient(
    library: str,
    by_out: Tensor,
    picture: Tensor,
    vertices: Tensor,
    faces: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    halfway: Tensor,
    shift: Tensor,
    edge: Tensor,
    near: float,
    far: float,
) -> tuple[Tensor, Tensor]:
    """Gradients of picture and vertices."""
    by_out, picture, vertices = (t.contiguous() for t in (by_out, picture, vertices))
    faces = faces.to(torch.int32).contiguous()
    _, height, width, channels = picture.shape
    kernels, launch = c.library(library), byref(c.launch(picture.device))
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    mesh = byref(c_mesh(vertices, faces))
    by_picture, by_vertices = torch.empty_like(picture), torch.empty_like(vertices)
    scratch = c.workspace(
        kernels.d3d_antialias_gradient_bytes(cameras, mesh, channels, launch), picture.device
    )
    c.check(
        kernels.d3d_antialias_gradient(
            cameras,
            mesh,
            byref(CPicture(channels, picture.data_ptr())),
            byref(CCrossings(shift.data_ptr(), edge.data_ptr())),
            halfway.data_ptr(),
            by_out.data_ptr(),
            by_picture.data_ptr(),
            by_vertices.data_ptr(),
            scratch.data_ptr(),
            launch,
        )
    )
    return by_picture, by_vertices


@_gradient.register_fake
def _(
    library: str, by_out: Tensor, picture: Tensor, vertices: Tensor, *saved: object
) -> tuple[Tensor, Tensor]:
    return picture.new_empty(picture.shape), vertices.new_empty(vertices.shape)


def _save(ctx, inputs, output) -> None:
    library, picture, _triangle, _depth, vertices, faces, _opposite, *views, near, far = inputs
    _out, halfway, shift, edge = output
    ctx.mark_non_differentiable(halfway, shift, edge)
    ctx.save_for_backward(picture, vertices, faces, *views, halfway, shift, edge)
    ctx.library, ctx.planes = library, (near, far)


def _backward(ctx, by_out, *_unused) -> tuple:
    by_picture, by_vertices = _gradient(ctx.library, by_out, *ctx.saved_tensors, *ctx.planes)
    return (None, by_picture, None, None, by_vertices, *[None] * 6)


_antialias.register_autograd(_backward, setup_context=_save)
