"""cuda/include/d3d/abi_splat.h in ctypes, and its first calls: from Gaussians to each tile's list."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from distill3d.ops import _library as c
from distill3d.ops._room import room_for

FOOTPRINT_FLOATS = 10


class CGaussians(Structure):
    _fields_ = [
        ("count", c_int64),
        ("blur", c_float),
        ("antialiased", c_int32),
        *[(name, c_void_p) for name in ("means", "wxyz", "scales", "opacities", "probe")],
    ]


class CSplatValues(Structure):
    _fields_ = [
        *[(name, c_int32) for name in ("harmonics", "normals", "channels")],
        ("view_stride", c_int64),
        ("sh", c_void_p),
        ("colours", c_void_p),
    ]


class CFootprints(Structure):
    _fields_ = [(name, c_void_p) for name in ("splats", "seen", "radius_px", "first_slot")]


class CPairs(Structure):
    _fields_ = [("capacity", c_int64), *[(name, c_void_p) for name in ("needed", "tile_start", "pairs")]]


class CSplatImages(Structure):
    _fields_ = [
        (name, c_void_p)
        for name in ("colours", "radiance", "normal", "alpha", "depth", "transmittance", "last")
    ]


class CSplatImageGradients(Structure):
    _fields_ = [(name, c_void_p) for name in ("colours", "radiance", "normal", "alpha", "depth")]


class CGaussianGradients(Structure):
    _fields_ = [
        (name, c_void_p)
        for name in ("means", "wxyz", "scales", "opacities", "sh", "colours", "probe", "absolute")
    ]


class CSplatWeights(Structure):
    _fields_ = [(name, c_void_p) for name in ("sums", "weight", "peak", "pixels")]


_GAUSSIANS, _VALUES = POINTER(CGaussians), POINTER(CSplatValues)
_FOOTPRINTS, _PAIRS = POINTER(CFootprints), POINTER(CPairs)
_DRAWN = [c.CAMERAS, c_int64, _FOOTPRINTS, _PAIRS]

c.declare(
    {
        "d3d_splat_tile_px": [c_int32],
        "d3d_splat_seen_floats": [c_int32, _VALUES],
        "d3d_splat_histogram_bytes": [c_int64, c.CAMERAS, c_int64, c.LAUNCH],
        "d3d_splat_project": [
            *[c_int32, c.CAMERAS, _GAUSSIANS, _VALUES, _FOOTPRINTS, c_void_p, c_void_p, c.LAUNCH]
        ],
        "d3d_splat_bin_bytes": [c_int64, c.CAMERAS, c_int64, c_int64, c.LAUNCH],
        "d3d_splat_bin": [*[c_int32, c.CAMERAS, c_int64, _FOOTPRINTS, c_void_p, _PAIRS, c_void_p, c.LAUNCH]],
        "d3d_splat_render_bytes": [c_int64, _VALUES, c.LAUNCH],
        "d3d_splat_render": [
            *[c_int32, c.CAMERAS, c_int64, _VALUES, _FOOTPRINTS, _PAIRS],
            *[POINTER(CSplatImages), c_void_p, c.LAUNCH],
        ],
        "d3d_splat_gradient_bytes": [c_int64, _VALUES, c_int64, c_int64, c_int64, c.LAUNCH],
        "d3d_splat_gradient": [
            *[c_int32, c.CAMERAS, _GAUSSIANS, _VALUES, _FOOTPRINTS, _PAIRS, POINTER(CSplatImages)],
            *[POINTER(CSplatImageGradients), POINTER(CGaussianGradients), c_void_p, c.LAUNCH],
        ],
        "d3d_splat_weigh_bytes": [c_int64, c_int32, c_int64, c.LAUNCH],
        "d3d_splat_weigh": [
            *[c_int32, *_DRAWN, c_int32, c_void_p, POINTER(CSplatWeights), c_void_p, c.LAUNCH]
        ],
        "d3d_splat_contributors": [c_int32, *_DRAWN, c_int32, c_void_p, c_void_p, c.LAUNCH],
    }
)


def pointer(tensor: Tensor | None) -> int | None:
    """Where a tensor's numbers lie; None, which C sees as null, for no tensor."""
    return None if tensor is None else tensor.data_ptr()


def c_gaussians(
    shape: Sequence[Tensor], probe: Tensor | None, blur_px: float, antialiased: bool
) -> CGaussians:
    """The C view of contiguous means, wxyz, scales, opacities and probe, which must outlive it."""
    return CGaussians(len(shape[0]), blur_px, antialiased, *map(pointer, shape), pointer(probe))


def c_values(sh: Tensor | None, colours: Tensor, normals: bool) -> CSplatValues:
    """The C view of contiguous harmonics and colours, [N, C] or [V, N, C], which must outlive it."""
    harmonics, channels = 0 if sh is None else sh.shape[1], colours.shape[-1]
    view_stride = colours.shape[1] * channels if colours.ndim == 3 else 0
    return CSplatValues(harmonics, normals, channels, view_stride, pointer(sh), pointer(colours))


@dataclass(frozen=True)
class Bins:
    """Footprints, and each tile's list of them; what every later call needs. V views of N splats."""

    splats: Tensor
    """[V, N, FOOTPRINT_FLOATS]"""
    seen: Tensor
    """[V, N, 1 and 3 more each for radiance and normals]"""
    radius_px: Tensor
    """[V, N]"""
    first_slot: Tensor
    """[V N + 1] int32"""
    needed: Tensor
    """[1] int64: pairs that there are"""
    tile_start: Tensor
    """[V tiles + 1] int32"""
    pairs: Tensor
    """[capacity, 2] int32"""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return tuple(vars(self).values())

    def c_footprints(self) -> CFootprints:
        return CFootprints(*map(pointer, (self.splats, self.seen, self.radius_px, self.first_slot)))

    def c_pairs(self) -> CPairs:
        return CPairs(len(self.pairs), *map(pointer, (self.needed, self.tile_start, self.pairs)))


def tile_starts(library: str, views: int, width: int, height: int) -> int:
    tile_px = c.library(library).d3d_splat_tile_px()
    return views * -(-width // tile_px) * -(-height // tile_px) + 1


def bins(
    library: str,
    cameras: c.CCameras,
    launch: c.CLaunch,
    gaussians: CGaussians,
    values: CSplatValues,
    like: Tensor,
) -> Bins:
    """Project and bin. `like` is a tensor on the library's device."""
    kernels: Any = c.library(library)
    views, count, device = cameras.views, gaussians.count, like.device
    ints = {"dtype": torch.int32, "device": device}
    splats = like.new_empty(views, count, FOOTPRINT_FLOATS)
    seen = like.new_empty(views, count, kernels.d3d_splat_seen_floats(values))
    radius_px, first_slot = like.new_empty(views, count), torch.empty(views * count + 1, **ints)
    needed = torch.empty(1, dtype=torch.int64, device=device)
    footprints = CFootprints(*map(pointer, (splats, seen, radius_px, first_slot)))
    histogram = c.workspace(kernels.d3d_splat_histogram_bytes(cameras, count, launch), device)
    c.check(
        kernels.d3d_splat_project(
            cameras, gaussians, values, footprints, histogram.data_ptr(), needed.data_ptr(), launch
        )
    )

    capacity = room_for(("splat", views, count, cameras.width, cameras.height), needed)
    tile_start = torch.empty(tile_starts(library, views, cameras.width, cameras.height), **ints)
    pairs = torch.empty(capacity, 2, **ints)
    made = Bins(splats, seen, radius_px, first_slot, needed, tile_start, pairs)
    scratch = c.workspace(kernels.d3d_splat_bin_bytes(cameras, count, capacity, launch), device)
    c.check(
        kernels.d3d_splat_bin(
            cameras, count, footprints, histogram.data_ptr(), made.c_pairs(), scratch.data_ptr(), launch
        )
    )
    return made
