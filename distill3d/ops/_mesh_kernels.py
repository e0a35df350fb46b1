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
    _fields_ = [(name, c_void_p) for name in ("triangle", "barycentric", "depth")]


c.declare(
    {
        "d3d_mesh_setup_bytes": [c_int64, c.CAMERAS, POINTER(CMesh), c.LAUNCH],
        "d3d_mesh_setup": [c_int32, c.CAMERAS, POINTER(CMesh), c_void_p, POINTER(c_int64), c.LAUNCH],
        "d3d_mesh_rasterize_bytes": [c_int64, c.CAMERAS, c_int64],
        "d3d_mesh_rasterize": [
            c_int32,
            c.CAMERAS,
            POINTER(CMesh),
            c_void_p,
            c_int64,
            POINTER(CFragments),
            c_void_p,
            c.LAUNCH,
        ],
    }
)


def rasterize(
    library: str, vertices: Tensor, faces: Tensor, cameras: Cameras
) -> tuple[Tensor, Tensor, Tensor]:
    """Triangle, barycentric and depth; the other arguments are those of `distill3d.ops.mesh.rasterize`."""
    shape = (*cameras.shape, cameras.height, cameras.width)
    triangle, barycentric, depth = _rasterize(
        library, vertices, faces, *c.flat(cameras), cameras.width, cameras.height, cameras.near, cameras.far
    )
    return triangle.reshape(shape), barycentric.reshape(*shape, 3), depth.reshape(shape)


@torch.library.custom_op(
    "distill3d::rasterize",
    mutates_args=(),
    schema="(str library, Tensor vertices, Tensor faces, Tensor world_to_camera, Tensor intrinsics, "
    "int width, int height, float near, float far) -> (Tensor, Tensor, Tensor)",
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
) -> tuple[Tensor, Tensor, Tensor]:
    vertices, faces = vertices.contiguous(), faces.to(torch.int32).contiguous()
    views = len(intrinsics)
    kernels, launch = c.library(library), byref(c.launch(world_to_camera.device))
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    mesh = byref(CMesh(len(vertices), len(faces), vertices.data_ptr(), faces.data_ptr()))

    setup = c.workspace(kernels.d3d_mesh_setup_bytes(cameras, mesh, launch), world_to_camera.device)
    pairs = c_int64()
    c.check(kernels.d3d_mesh_setup(cameras, mesh, setup.data_ptr(), byref(pairs), launch))

    triangle = vertices.new_empty(views, height, width, dtype=torch.int32)
    barycentric, depth = vertices.new_empty(views, height, width, 3), vertices.new_empty(views, height, width)
    fragments = byref(CFragments(triangle.data_ptr(), barycentric.data_ptr(), depth.data_ptr()))
    scratch = c.workspace(kernels.d3d_mesh_rasterize_bytes(cameras, pairs), world_to_camera.device)
    c.check(
        kernels.d3d_mesh_rasterize(
            cameras, mesh, setup.data_ptr(), pairs, fragments, scratch.data_ptr(), launch
        )
    )
    return triangle, barycentric, depth


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
) -> tuple[Tensor, Tensor, Tensor]:
    shape = (len(intrinsics), height, width)
    return (
        vertices.new_empty(shape, dtype=torch.int32),
        vertices.new_empty(*shape, 3),
        vertices.new_empty(shape),
    )
