"""The compiled kernels: which library is loaded, and cuda/include/d3d/abi.h in ctypes."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from ctypes import POINTER, c_float, c_int32, c_int64, c_void_p
from pathlib import Path

import torch
from torch import Tensor

import distill3d.ops
from distill3d.camera import Cameras

ABI_VERSION = 1
ISA_VARIABLE = "DISTILL3D_ISA"
BUILD_IT = "build it with `pip install .` in the source folder (a C++17 compiler with OpenMP is needed)"


class UnusableLibrary(RuntimeError):
    """The compiled kernels cannot be used; the message says why and what to do."""


class CCameras(ctypes.Structure):
    _fields_ = [
        ("views", c_int64),
        ("width", c_int32),
        ("height", c_int32),
        ("near", c_float),
        ("far", c_float),
        ("world_to_camera", c_void_p),
        ("intrinsics", c_void_p),
    ]


class CLaunch(ctypes.Structure):
    _fields_ = [("threads", c_int32), ("stream", c_void_p)]


class CGaussians(ctypes.Structure):
    _fields_ = [
        ("count", c_int64),
        ("channels", c_int32),
        ("blur", c_float),
        *[(name, c_void_p) for name in ("means", "wxyz", "scales", "opacities", "colours", "probe")],
    ]


class CFootprints(ctypes.Structure):
    _fields_ = [(name, c_void_p) for name in ("splats", "radius_px", "first_slot")]


class CPairs(ctypes.Structure):
    _fields_ = [("count", c_int64), ("tile_start", c_void_p), ("pairs", c_void_p)]


class CSplatImages(ctypes.Structure):
    _fields_ = [(name, c_void_p) for name in ("colours", "alpha", "depth", "transmittance", "last")]


class CSplatImageGradients(ctypes.Structure):
    _fields_ = [(name, c_void_p) for name in ("colours", "alpha", "depth")]


class CGaussianGradients(ctypes.Structure):
    _fields_ = [(name, c_void_p) for name in ("means", "wxyz", "scales", "opacities", "colours", "probe")]


class CMesh(ctypes.Structure):
    _fields_ = [
        ("vertex_count", c_int64),
        ("face_count", c_int64),
        ("vertices", c_void_p),
        ("faces", c_void_p),
    ]


class CFragments(ctypes.Structure):
    _fields_ = [(name, c_void_p) for name in ("triangle", "barycentric", "depth")]


FOOTPRINT_FLOATS = 10

_STATUS = {
    1: "more than 2^31 - 1 meetings of primitives with tiles; render fewer views or smaller pictures",
}

_cameras, _launch, _bytes = POINTER(CCameras), POINTER(CLaunch), c_void_p
_SIGNATURES: dict[str, tuple[type, list[type]]] = {
    "d3d_abi_version": (c_int32, []),
    "d3d_isa_level": (c_int32, []),
    "d3d_splat_tile_px": (c_int32, []),
    "d3d_splat_histogram_bytes": (c_int64, [_cameras, c_int64, _launch]),
    "d3d_splat_project": (
        c_int32,
        [_cameras, POINTER(CGaussians), POINTER(CFootprints), _bytes, POINTER(c_int64), _launch],
    ),
    "d3d_splat_bin_bytes": (c_int64, [c_int64]),
    "d3d_splat_bin": (
        c_int32,
        [_cameras, c_int64, POINTER(CFootprints), _bytes, POINTER(CPairs), _bytes, _launch],
    ),
    "d3d_splat_render_bytes": (c_int64, [c_int32, _launch]),
    "d3d_splat_render": (
        c_int32,
        [
            _cameras,
            POINTER(CGaussians),
            POINTER(CFootprints),
            POINTER(CPairs),
            POINTER(CSplatImages),
            _bytes,
            _launch,
        ],
    ),
    "d3d_splat_gradient_bytes": (c_int64, [c_int32, c_int64, _launch]),
    "d3d_splat_gradient": (
        c_int32,
        [
            _cameras,
            POINTER(CGaussians),
            POINTER(CFootprints),
            POINTER(CPairs),
            POINTER(CSplatImages),
            POINTER(CSplatImageGradients),
            POINTER(CGaussianGradients),
            _bytes,
            _launch,
        ],
    ),
    "d3d_mesh_setup_bytes": (c_int64, [_cameras, POINTER(CMesh), _launch]),
    "d3d_mesh_setup": (c_int32, [_cameras, POINTER(CMesh), _bytes, POINTER(c_int64), _launch]),
    "d3d_mesh_rasterize_bytes": (c_int64, [_cameras, c_int64]),
    "d3d_mesh_rasterize": (
        c_int32,
        [_cameras, POINTER(CMesh), _bytes, c_int64, POINTER(CFragments), _bytes, _launch],
    ),
}


def _folders() -> Iterator[Path]:
    """Where the libraries may be: beside this package's parts, and where an editable install put them."""
    for folder in distill3d.ops.__path__:
        yield Path(folder) / "lib"
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        installed = importlib.metadata.distribution("distill3d")
        yield Path(str(installed.locate_file("distill3d/ops/lib")))


def _open(name: str) -> ctypes.CDLL:
    """The library lib<name>.so, with typed functions."""
    path = next(
        (folder / f"lib{name}.so" for folder in _folders() if (folder / f"lib{name}.so").exists()), None
    )
    if path is None:
        raise UnusableLibrary(f"the compiled kernels lib{name}.so are missing; {BUILD_IT}")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise UnusableLibrary(f"{path} cannot be loaded ({error}); {BUILD_IT}") from error
    version = library.d3d_abi_version()
    if version != ABI_VERSION:
        raise UnusableLibrary(
            f"{path} has interface version {version} and version {ABI_VERSION} was expected; {BUILD_IT}"
        )
    for function, (result, arguments) in _SIGNATURES.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


def _choose_isa() -> tuple[str, ctypes.CDLL]:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return "native", _open("d3d_cpu")
    oldest = _open("d3d_cpu_v2")
    level: int = oldest.d3d_isa_level()
    if level < 2:
        raise UnusableLibrary(
            "this processor lacks SSE4.2, which the compiled kernels need; use another machine"
        )
    wanted = os.environ.get(ISA_VARIABLE, f"v{level}")
    if wanted not in ("v2", "v3", "v4"):
        raise UnusableLibrary(f"{ISA_VARIABLE} is {wanted!r}, expected v2, v3 or v4; correct or unset it")
    if int(wanted[1]) > level:
        raise UnusableLibrary(
            f"{ISA_VARIABLE} is {wanted} and this processor is x86-64-v{level}; "
            f"choose v{level} or lower, or unset it"
        )
    return wanted, oldest if wanted == "v2" else _open(f"d3d_cpu_{wanted}")


@functools.cache
def _loaded() -> tuple[str, ctypes.CDLL] | UnusableLibrary:
    try:
        return _choose_isa()
    except UnusableLibrary as error:
        return error


def why_not() -> str | None:
    """Why the compiled kernels cannot be used, or None if they can."""
    loaded = _loaded()
    return str(loaded) if isinstance(loaded, UnusableLibrary) else None


def isa() -> str:
    """The instruction set in use: v2, v3 or v4 (x86-64 levels), or native on other processors."""
    loaded = _loaded()
    if isinstance(loaded, UnusableLibrary):
        raise loaded
    return loaded[0]


def library() -> ctypes.CDLL:
    """The compiled kernels. Raises UnusableLibrary where there are none."""
    loaded = _loaded()
    if isinstance(loaded, UnusableLibrary):
        raise loaded
    return loaded[1]


def check(status: int) -> None:
    """Raise what a kernel's status says."""
    if status != 0:
        raise RuntimeError(_STATUS.get(status, f"a compiled kernel returned the unknown status {status}"))


def launch() -> CLaunch:
    """As many threads as torch uses."""
    return CLaunch(torch.get_num_threads(), None)


def workspace(byte_count: int) -> Tensor:
    """Scratch memory that a kernel asked for."""
    return torch.empty(byte_count, dtype=torch.uint8)


def c_cameras(
    world_to_camera: Tensor, intrinsics: Tensor, width: int, height: int, near: float, far: float
) -> CCameras:
    """The C view of contiguous float32 tensors [V, 4, 4] and [V, 4], which must outlive it."""
    views = intrinsics.shape[0]
    return CCameras(views, width, height, near, far, world_to_camera.data_ptr(), intrinsics.data_ptr())


def flat(cameras: Cameras) -> tuple[Tensor, Tensor]:
    """world_to_camera [V, 4, 4] and intrinsics [V, 4] of all cameras in one row, contiguous."""
    return (
        cameras.world_to_camera.detach().reshape(-1, 4, 4).contiguous(),
        cameras.intrinsics.detach().reshape(-1, 4).contiguous(),
    )
