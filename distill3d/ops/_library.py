"""The compiled kernels: which libraries there are, and cuda/include/d3d/abi.h in ctypes.

One library each for `cpu`, `cuda` and `emulated` (the CUDA schedules run on a CPU, for tests); all have the
same functions. An operation's own structs and functions stand in its `_*_kernels.py`, which calls `declare`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.metadata
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from ctypes import POINTER, c_float, c_int32, c_int64, c_void_p
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import distill3d.ops
from distill3d.camera import Cameras

ABI_VERSION = 2
LIBRARIES = ("cpu", "cuda", "emulated")
ISA_VARIABLE = "DISTILL3D_ISA"
FOLDER_VARIABLE = "DISTILL3D_LIBRARIES"
BUILD_IT = "build it with `pip install .` in the source folder (a C++17 compiler with OpenMP is needed)"
BUILD_CUDA = "build it with `pip install .` in the source folder, with nvcc on the PATH or CUDA_HOME set"
BUILD_EMULATED = "build it with `make emulated` in the source folder"


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
    _fields_ = [("threads", c_int32), ("device", c_int32), ("stream", c_void_p)]


CAMERAS, LAUNCH = POINTER(CCameras), POINTER(CLaunch)

_STATUS = {
    1: "more than 2^31 - 1 meetings of primitives with tiles; render fewer views or smaller pictures",
    2: "the CUDA device refused the work; run with CUDA_LAUNCH_BLOCKING=1 to see where",
}

_SIGNATURES: dict[str, tuple[type | None, list[Any]]] = {
    "d3d_abi_version": (c_int32, []),
    "d3d_isa_level": (c_int32, []),
}


def declare(signatures: Mapping[str, Sequence[Any]]) -> None:
    """Name functions of every library: name → result type (None: void), then the types of the arguments."""
    for name, (result, *arguments) in signatures.items():
        _SIGNATURES[name] = (result, arguments)


class Kernels:
    """A loaded library, whose functions are typed as they were declared."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def has(self, name: str) -> bool:
        """Whether the library has a function."""
        return hasattr(self._library, name)

    def __getattr__(self, name: str) -> Any:
        try:
            function = getattr(self._library, name)
        except AttributeError as error:
            raise UnusableLibrary(f"{self._library._name} has no {name}; {BUILD_IT}") from error
        function.restype, function.argtypes = _SIGNATURES[name]
        setattr(self, name, function)
        return function


def _folders() -> Iterator[Path]:
    """Where the libraries may be: the folder that a variable names, or else beside this package's parts and
    where an editable install put them.
    """
    if os.environ.get(FOLDER_VARIABLE):
        yield Path(os.environ[FOLDER_VARIABLE])
        return
    for folder in distill3d.ops.__path__:
        yield Path(folder) / "lib"
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        installed = importlib.metadata.distribution("distill3d")
        yield Path(str(installed.locate_file("distill3d/ops/lib")))


def _open(name: str, build_it: str = BUILD_IT) -> Kernels:
    """The library lib<name>.so, with typed functions."""
    file = f"lib{name}.so"
    path = next((folder / file for folder in _folders() if (folder / file).exists()), None)
    if path is None:
        raise UnusableLibrary(f"the compiled kernels {file} are missing; {build_it}")
    try:
        kernels = Kernels(ctypes.CDLL(str(path)))
    except OSError as error:
        raise UnusableLibrary(f"{path} cannot be loaded ({error}); {build_it}") from error
    version = kernels.d3d_abi_version()
    if version != ABI_VERSION:
        raise UnusableLibrary(
            f"{path} has interface version {version} and version {ABI_VERSION} was expected; {build_it}"
        )
    return kernels


def _choose_isa() -> tuple[str, Kernels]:
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


def _open_cuda() -> tuple[str, Kernels]:
    if not torch.cuda.is_available():
        raise UnusableLibrary(
            "torch sees no CUDA device; install an NVIDIA driver and a torch built for CUDA"
        )
    return "cuda", _open("d3d_cuda", BUILD_CUDA)


@functools.cache
def _loaded(name: str) -> tuple[str, Kernels] | UnusableLibrary:
    try:
        if name == "cuda":
            return _open_cuda()
        return ("emulated", _open("d3d_emulated", BUILD_EMULATED)) if name == "emulated" else _choose_isa()
    except UnusableLibrary as error:
        return error


def why_not(name: str = "cpu") -> str | None:
    """Why a library of LIBRARIES cannot be used, or None if it can."""
    loaded = _loaded(name)
    return str(loaded) if isinstance(loaded, UnusableLibrary) else None


def isa() -> str:
    """The instruction set in use: v2, v3 or v4 (x86-64 levels), or native on other processors."""
    loaded = _loaded("cpu")
    if isinstance(loaded, UnusableLibrary):
        raise loaded
    return loaded[0]


def library(name: str) -> Kernels:
    """The compiled kernels of one of LIBRARIES. Raises UnusableLibrary where there are none."""
    loaded = _loaded(name)
    if isinstance(loaded, UnusableLibrary):
        raise loaded
    return loaded[1]


def missing(name: str, prefix: str) -> list[str]:
    """The declared functions beginning with `prefix` that one of LIBRARIES lacks."""
    kernels = library(name)
    return [function for function in _SIGNATURES if function.startswith(prefix) and not kernels.has(function)]


def check(status: int) -> None:
    """Raise what a kernel's status says."""
    if status != 0:
        raise RuntimeError(_STATUS.get(status, f"a compiled kernel returned the unknown status {status}"))


def launch(device: torch.device) -> CLaunch:
    """As many threads as torch uses; on a CUDA device, torch's current stream."""
    if device.type != "cuda":
        return CLaunch(torch.get_num_threads(), 0, None)
    index = torch.cuda.current_device() if device.index is None else device.index
    return CLaunch(torch.get_num_threads(), index, torch.cuda.current_stream(device).cuda_stream)


def workspace(byte_count: int, device: torch.device) -> Tensor:
    """Scratch memory that a kernel asked for."""
    return torch.empty(byte_count, dtype=torch.uint8, device=device)


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
