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
    _fields_ = [(name, c_void_p) for name in ("count", "pixel", "edge", "shift", "difference")]


PICTURE, CROSSINGS = POINTER(CPicture), POINTER(CCrossings)

c.declare(
    {
        "d3d_antialias_block_rows": [c_int32],
        "d3d_antialias_bytes": [c_int64, c.CAMERAS, MESH],
        "d3d_antialias": [
            c_int32, c.CAMERAS, MESH, c_void_p, FRAGMENTS, PICTURE, CROSSINGS, *[c_void_p] * 2, c.LAUNCH,
        ],
        "d3d_antialias_gradient_bytes": [c_int64, c.CAMERAS, MESH, c_int32, c.LAUNCH],
        "d3d_antialias_gradient": [
            c_int32, c.CAMERAS, MESH, c_int32, CROSSINGS, *[c_void_p] * 4, c.LAUNCH,
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
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
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
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The picture; then the crossings: count, pixel, edge, shift and difference."""
    picture, triangle, depth, vertices = (t.contiguous() for t in (picture, triangle, depth, vertices))
    faces, opposite = (t.to(torch.int32).contiguous() for t in (faces, opposite))
    _, height, width, channels = picture.shape
    kernels, launch = c.library(library), byref(c.launch(picture.device))
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    mesh = byref(c_mesh(vertices, faces))
    out, *crossings = _outputs(library, picture)
    scratch = c.workspace(kernels.d3d_antialias_bytes(cameras, mesh), picture.device)
    c.check(
        kernels.d3d_antialias(
            cameras,
            mesh,
            opposite.data_ptr(),
            byref(CFragments(triangle.data_ptr(), None, depth.data_ptr(), None)),
            byref(CPicture(channels, picture.data_ptr())),
            byref(CCrossings(*[tensor.data_ptr() for tensor in crossings])),
            out.data_ptr(),
            scratch.data_ptr(),
            launch,
        )
    )
    return out, crossings[0], crossings[1], crossings[2], crossings[3], crossings[4]


def _outputs(library: str, picture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Memory for what the operator returns."""
    views, height, width, channels = picture.shape
    rows = c.library(library).d3d_antialias_block_rows()
    blocks = (views, -(-height // rows))
    slots = (*blocks, 2 * rows * width)
    return (
        picture.new_empty(picture.shape),
        picture.new_empty(blocks, dtype=torch.int32),
        picture.new_empty(slots, dtype=torch.int32),
        picture.new_empty(slots, dtype=torch.int32),
        picture.new_empty(slots),
        picture.new_empty(*slots, channels),
    )


@_antialias.register_fake
def _(
    library: str, picture: Tensor, *others: object
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    return _outputs(library, picture)


@torch.library.custom_op(
    "distill3d::antialias_gradient",
    mutates_args=(),
    schema="(str library, Tensor by_out, Tensor vertices, Tensor faces, Tensor world_to_camera, "
    "Tensor intrinsics, Tensor count, Tensor pixel, Tensor edge, Tensor shift, Tensor difference, "
    "float near, float far) -> (Tensor, Tensor)",
)
def _gradient(
    library: str,
    by_out: Tensor,
    vertices: Tensor,
    faces: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    count: Tensor,
    pixel: Tensor,
    edge: Tensor,
    shift: Tensor,
    difference: Tensor,
    near: float,
    far: float,
) -> tuple[Tensor, Tensor]:
    """Gradients of picture and vertices."""
    by_out, vertices = by_out.contiguous(), vertices.contiguous()
    faces = faces.to(torch.int32).contiguous()
    _, height, width, channels = by_out.shape
    kernels, launch = c.library(library), byref(c.launch(by_out.device))
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    mesh = byref(c_mesh(vertices, faces))
    by_picture, by_vertices = torch.empty_like(by_out), torch.empty_like(vertices)
    scratch = c.workspace(
        kernels.d3d_antialias_gradient_bytes(cameras, mesh, channels, launch), by_out.device
    )
    c.check(
        kernels.d3d_antialias_gradient(
            cameras,
            mesh,
            channels,
            byref(CCrossings(*[tensor.data_ptr() for tensor in (count, pixel, edge, shift, difference)])),
            by_out.data_ptr(),
            by_picture.data_ptr(),
            by_vertices.data_ptr(),
            scratch.data_ptr(),
            launch,
        )
    )
    return by_picture, by_vertices


@_gradient.register_fake
def _(library: str, by_out: Tensor, vertices: Tensor, *saved: object) -> tuple[Tensor, Tensor]:
    return by_out.new_empty(by_out.shape), vertices.new_empty(vertices.shape)


def _save(ctx, inputs, output) -> None:
    library, _picture, _triangle, _depth, vertices, faces, _opposite, *views, near, far = inputs
    ctx.set_materialize_grads(False)  # the crossings' would be filled with zeros
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(vertices, faces, *views, *output[1:])
    ctx.library, ctx.planes = library, (near, far)


def _backward(ctx, by_out, *_unused) -> tuple:
    if by_out is None:
        return (None,) * 11
    by_picture, by_vertices = _gradient(ctx.library, by_out, *ctx.saved_tensors, *ctx.planes)
    return (None, by_picture, None, None, by_vertices, *[None] * 6)


_antialias.register_autograd(_backward, setup_context=_save)
