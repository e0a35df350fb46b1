"""`rasterize` on the compiled CPU kernels."""

from __future__ import annotations

from ctypes import byref, c_int64

import torch
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.ops import _library as c


def rasterize(vertices: Tensor, faces: Tensor, cameras: Cameras) -> tuple[Tensor, Tensor, Tensor]:
    """Triangle, barycentric and depth; the arguments are those of `distill3d.ops.mesh.rasterize`."""
    shape = (*cameras.shape, cameras.height, cameras.width)
    triangle, barycentric, depth = _rasterize(
        vertices, faces, *c.flat(cameras), cameras.width, cameras.height, cameras.near, cameras.far
    )
    return triangle.reshape(shape), barycentric.reshape(*shape, 3), depth.reshape(shape)


@torch.library.custom_op(
    "distill3d::rasterize",
    mutates_args=(),
    device_types="cpu",
    schema="(Tensor vertices, Tensor faces, Tensor world_to_camera, Tensor intrinsics, "
    "int width, int height, float near, float far) -> (Tensor, Tensor, Tensor)",
)
def _rasterize(
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
    kernels, launch = c.library(), byref(c.launch())
    cameras = byref(c.c_cameras(world_to_camera, intrinsics, width, height, near, far))
    mesh = byref(c.CMesh(len(vertices), len(faces), vertices.data_ptr(), faces.data_ptr()))

    setup = c.workspace(kernels.d3d_mesh_setup_bytes(cameras, mesh, launch))
    pairs = c_int64()
    c.check(kernels.d3d_mesh_setup(cameras, mesh, setup.data_ptr(), byref(pairs), launch))

    triangle = torch.empty(views, height, width, dtype=torch.int32)
    barycentric, depth = vertices.new_empty(views, height, width, 3), vertices.new_empty(views, height, width)
    fragments = byref(c.CFragments(triangle.data_ptr(), barycentric.data_ptr(), depth.data_ptr()))
    scratch = c.workspace(kernels.d3d_mesh_rasterize_bytes(cameras, pairs))
    c.check(
        kernels.d3d_mesh_rasterize(
            cameras, mesh, setup.data_ptr(), pairs, fragments, scratch.data_ptr(), launch
        )
    )
    return triangle, barycentric, depth


@_rasterize.register_fake
def _(
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
