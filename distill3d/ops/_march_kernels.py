"""`march` on the compiled kernels."""

from __future__ import annotations

from ctypes import POINTER, Structure, byref, c_float, c_int32, c_int64, c_void_p

import torch
from torch import Tensor

from distill3d.ops import _library as c


class CRays(Structure):
    _fields_ = [
        ("count", c_int64),
        *[(name, c_void_p) for name in ("origins", "directions", "near", "far", "jitter")],
    ]


class COccupancy(Structure):
    _fields_ = [("levels", c_int32), ("cells", c_int32), ("extent", c_float), ("occupied", c_void_p)]


class CSteps(Structure):
    _fields_ = [("step", c_float), ("longest", c_float), ("cone", c_float), ("limit", c_int32)]


class CSamples(Structure):
    _fields_ = [
        ("capacity", c_int64),
        *[(name, c_void_p) for name in ("starts", "ends", "points", "rays", "offsets")],
    ]


_MARCH = [POINTER(CRays), POINTER(COccupancy), POINTER(CSteps)]

c.declare(
    {
        "d3d_march_count_bytes": [c_int64, c_int64],
        "d3d_march_count": [c_int32, *_MARCH, c_int64, c_void_p, c_void_p, c_void_p, c.LAUNCH],
        "d3d_march_write": [c_int32, *_MARCH, POINTER(CSamples), c.LAUNCH],
    }
)

MOST = 2**31 - 1


def march(
    library: str,
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    jitter: Tensor,
    occupied: Tensor,
    step: float,
    cone: float,
    longest: float,
    extent: float,
    limit: int,
    capacity: int | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Starts, ends, points, rays, offsets and needed; see `distill3d.ops.march.march`."""
    rays = (origins, directions, near, far, jitter)
    return _march(library, *rays, occupied, step, cone, longest, extent, limit, capacity)


@torch.library.custom_op(
    "distill3d::march",
    mutates_args=(),
    schema="(str library, Tensor origins, Tensor directions, Tensor near, Tensor far, Tensor jitter, "
    "Tensor occupied, float step, float cone, float longest, float extent, int limit, int? capacity) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _march(
    library: str,
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    jitter: Tensor,
    occupied: Tensor,
    step: float,
    cone: float,
    longest: float,
    extent: float,
    limit: int,
    capacity: int | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    inputs = [values.contiguous() for values in (origins, directions, near, far, jitter)]
    occupied = occupied.contiguous()
    count, device = len(origins), origins.device
    kernels, launch = c.library(library), byref(c.launch(device))
    rays = byref(CRays(count, *[values.data_ptr() for values in inputs]))
    grid = byref(COccupancy(len(occupied), occupied.shape[-1], extent, occupied.data_ptr()))
    steps = byref(CSteps(step, longest, cone, limit))

    offsets = torch.empty(count + 1, dtype=torch.int32, device=device)
    needed = torch.empty(1, dtype=torch.int64, device=device)
    scratch = c.workspace(kernels.d3d_march_count_bytes(count), device)
    room = MOST if capacity is None else capacity
    c.check(
        kernels.d3d_march_count(
            rays, grid, steps, room, offsets.data_ptr(), needed.data_ptr(), scratch.data_ptr(), launch
        )
    )
    if capacity is None:
        capacity = int(needed)
        if capacity > MOST:
            raise RuntimeError(
                f"{count} rays have {capacity} samples, more than 2^31 - 1; march fewer rays at once"
            )

    starts, ends = origins.new_empty(capacity), origins.new_empty(capacity)
    points = origins.new_empty(capacity, 3)
    sample_rays = torch.empty(capacity, dtype=torch.int32, device=device)
    pointers = [values.data_ptr() for values in (starts, ends, points, sample_rays, offsets)]
    c.check(kernels.d3d_march_write(rays, grid, steps, byref(CSamples(capacity, *pointers)), launch))
    return starts, ends, points, sample_rays, offsets, needed


@_march.register_fake
def _(
    library: str,
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    jitter: Tensor,
    occupied: Tensor,
    step: float,
    cone: float,
    longest: float,
    extent: float,
    limit: int,
    capacity: int | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    size = torch.library.get_ctx().new_dynamic_size() if capacity is None else capacity
    return (
        origins.new_empty(size),
        origins.new_empty(size),
        origins.new_empty(size, 3),
        origins.new_empty(size, dtype=torch.int32),
        origins.new_empty(len(origins) + 1, dtype=torch.int32),
        origins.new_empty(1, dtype=torch.int64),
    )
