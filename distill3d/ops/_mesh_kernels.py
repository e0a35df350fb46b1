"""`rasterize` on the compiled kernels."""

from __future__ import annotations

from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _library as c


class CMesh(Structure):
    _fields_ = [
        ("vertex_count", c_int64),
        ("face_count", c_int64),
        ("vertices", c_void_p),
        ("faces", c_void_p),
    ]


class CFragments(Structure):
    _fields_ = [(name, c_void_p) for name in ("triangle", "barycentric", "depth", "derivatives")]


class CFragmentGradients(Structure):
    _fields_ = [(name, c_void_p) for name in ("barycentric", "depth")]


MESH, FRAGMENTS = POINTER(CMesh), POINTER(CFragments)


c.declare(
    {
        "d3d_mesh_setup_bytes": [c_int64, c.CAMERAS, MESH, c.LAUNCH],
        "d3d_mesh_setup": [c_int32, c.CAMERAS, MESH, c_void_p, POINTER(c_int64), c.LAUNCH],
        "d3d_mesh_rasterize_bytes": [c_int64, c.CAMERAS, c_int64],
        "d3d_mesh_rasterize": [
            c_int32,
            c.CAMERAS,
            MESH,
            c_void_p,
            c_int64,
            FRAGMENTS,
            c_void_p,
            c.LAUNCH,
        ],
        "d3d_mesh_gradient_bytes": [c_int64, c.CAMERAS, MESH, c.LAUNCH],
        "d3d_mesh_gradient": [
            c_int32,
            c.CAMERAS,
            MESH,
            FRAGMENTS,
            POINTER(CFragmentGradients),
            c_void_p,
            c_void_p,
            c.LAUNCH,
        ],
    }
)


def c_mesh(vertices: Tensor, faces: Tensor) -> CMesh:
    """The C view of contiguous vertices [V, 3] and int32 faces [F, 3], which must outlive it."""
    return CMesh(len(vertices), len(faces), vertices.data_ptr(), faces.data_ptr())


def pointer(tensor: Tensor | None) -> int | None:
    """Where a tensor's numbers are, or null."""
    return None if tensor is None else tensor.data_ptr()


def refuse_gradient(library: str, cameras: Cameras) -> None:
    """Raise ValueError for cameras that require a gradient, which kernels do not give."""
    if cameras.world_to_camera.requires_grad or cameras.intrinsics.requires_grad:
        raise ValueError(
            f"the {library} backend gives no gradient to cameras and was given cameras that require one; "
            'detach them, or run inside use("reference")'
        )


def rasterize(
    library: str, vertices: Tensor, faces: Tensor, cameras: Cameras, derivatives: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Triangle, barycentric, depth and derivatives; see `distill3d.ops.mesh.rasterize`."""
    refuse_gradient(library, cameras)
    shape = (*cameras.shape, cameras.height, cameras.width)
    triangle, barycentric, depth, slopes = _rasterize(
        library,
        vertices,
        faces,
        *c.flat(cameras),
        cameras.width,
        cameras.height,
        cameras.near,
        cameras.far,
        derivatives,
    )
    return (
        triangle.reshape(shape),
        barycentric.reshape(*shape, 3),
        depth.reshape(shape),
        slopes.reshape(*shape, 3, 2) if derivatives else None,
    )


@torch.library.custom_op(
    "distill3d::rasterize",
    mutates_args=(),
    schema="(str library, Tensor vertices, Tensor faces, Tensor world_to_camera, Tensor intrinsics, "
    "int width, int height, float near, float far, bool derivatives) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _rasterize(
    library: str,
    vertices: Tensor,
    faces: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    near: float,
    far: float,
    derivatives: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The last picture has no pixel unless derivatives are wanted."""
    vertices, faces = vertices.contiguous(), faces.to(torch.int32).contiguous()
    views = len(intrinsics)
    kernels, launch = c.library(library), byref(c.launch(world_to_camera.device))
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    mesh = byref(c_mesh(vertices, faces))

    setup = c.workspace(kernels.d3d_mesh_setup_bytes(cameras, mesh, launch), world_to_camera.device)
    pairs = c_int64()
    c.check(kernels.d3d_mesh_setup(cameras, mesh, setup.data_ptr(), byref(pairs), launch))

    triangle = vertices.new_empty(views, height, width, dtype=torch.int32)
    barycentric, depth = vertices.new_empty(views, height, width, 3), vertices.new_empty(views, height, width)
    slopes = vertices.new_empty(views if derivatives else 0, height, width, 3, 2)
    pictures = (triangle, barycentric, depth, slopes if derivatives else None)
    scratch = c.workspace(kernels.d3d_mesh_rasterize_bytes(cameras, pairs), world_to_camera.device)
    c.check(
        kernels.d3d_mesh_rasterize(
            cameras,
            mesh,
            setup.data_ptr(),
            pairs,
            byref(CFragments(*map(pointer, pictures))),
            scratch.data_ptr(),
            launch,
        )
    )
    return triangle, barycentric, depth, slopes


@_rasterize.register_fake
def _(
    library: str,
    vertices: Tensor,
    faces: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    width: int,
    height: int,
    near: float,
    far: float,
    derivatives: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    views = len(intrinsics)
    return (
        vertices.new_empty((views, height, width), dtype=torch.int32),
        vertices.new_empty(views, height, width, 3),
        vertices.new_empty(views, height, width),
        vertices.new_empty(views if derivatives else 0, height, width, 3, 2),
    )


@torch.library.custom_op(
    "distill3d::rasterize_gradient",
    mutates_args=(),
    schema="(str library, Tensor? by_barycentric, Tensor? by_depth, Tensor vertices, Tensor faces, "
    "Tensor world_to_camera, Tensor intrinsics, Tensor triangle, Tensor barycentric, Tensor depth, "
    "float near, float far) -> Tensor",
)
def _gradient(
    library: str,
    by_barycentric: Tensor | None,
    by_depth: Tensor | None,
    vertices: Tensor,
    faces: Tensor,
    world_to_camera: Tensor,
    intrinsics: Tensor,
    triangle: Tensor,
    barycentric: Tensor,
    depth: Tensor,
    near: float,
    far: float,
) -> Tensor:
    """The gradient of vertices."""
    vertices, faces = vertices.contiguous(), faces.to(torch.int32).contiguous()
    given = [None if by is None else by.contiguous() for by in (by_barycentric, by_depth)]
    _, height, width = triangle.shape
    kernels, launch = c.library(library), byref(c.launch(world_to_camera.device))
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    mesh = byref(c_mesh(vertices, faces))
    result = torch.empty_like(vertices)
    scratch = c.workspace(kernels.d3d_mesh_gradient_bytes(cameras, mesh, launch), world_to_camera.device)
    c.check(
        kernels.d3d_mesh_gradient(
            cameras,
            mesh,
            byref(CFragments(triangle.data_ptr(), barycentric.data_ptr(), depth.data_ptr(), None)),
            byref(CFragmentGradients(*map(pointer, given))),
            result.data_ptr(),
            scratch.data_ptr(),
            launch,
        )
    )
    return result


@_gradient.register_fake
def _(
    library: str,
    by_barycentric: Tensor | None,
    by_depth: Tensor | None,
    vertices: Tensor,
    *saved: object,
) -> Tensor:
    return vertices.new_empty(vertices.shape)


def _save(ctx, inputs, output) -> None:
    library, vertices, faces, world_to_camera, intrinsics, _width, _height, near, far, _derivatives = inputs
    triangle, barycentric, depth, slopes = output
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(triangle, slopes)
    ctx.save_for_backward(vertices, faces, world_to_camera, intrinsics, triangle, barycentric, depth)
    ctx.library, ctx.planes = library, (near, far)


def _backward(ctx, _by_triangle, by_barycentric, by_depth, _by_slopes) -> tuple:
    by_vertices = None
    if by_barycentric is not None or by_depth is not None:
        by_vertices = _gradient(ctx.library, by_barycentric, by_depth, *ctx.saved_tensors, *ctx.planes)
    return (None, by_vertices, *[None] * 8)


_rasterize.register_autograd(_backward, setup_context=_save)
