"""A small example of every operation, for the doctor: numbers and gradients from inputs that never change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from distill3d.camera import Cameras, turntable
from distill3d.ops.antialias import antialias
from distill3d.ops.grids import triplane, vm, voxels
from distill3d.ops.hashgrid import HashGrid, hashgrid
from distill3d.ops.interpolate import interpolate
from distill3d.ops.march import Samples, march
from distill3d.ops.mesh import rasterize
from distill3d.ops.mlp import hashgrid_mlp, mlp
from distill3d.ops.proposal import resample
from distill3d.ops.scan import exclusive_sum, inclusive_product
from distill3d.ops.splat import splat
from distill3d.ops.splat_lift import lift
from distill3d.ops.ssim import ssim_map
from distill3d.ops.surfels import surfels
from distill3d.ops.texture import bilinear
from distill3d.ops.volume import composite

Example = Callable[[torch.device, torch.dtype], Sequence[Tensor]]

GRID = HashGrid(levels=4, log2_entries=8)


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _cameras(device: torch.device) -> Cameras:
    return turntable(2, width=48, height=40).to(device)


def _leaves(device: torch.device, dtype: torch.dtype, *values: Tensor) -> list[Tensor]:
    return [value.to(device, dtype).requires_grad_() for value in values]


def _with_gradients(outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Tensor]:
    """The outputs, and the gradients of the sum of their squares."""
    loss = sum((output.square().sum() for output in outputs), start=outputs[0].new_zeros(()))
    return [*outputs, *torch.autograd.grad(loss, list(leaves))]


def _gaussians(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    return _leaves(
        device,
        dtype,
        _random(64, 3) - 0.5,
        _random(64, 4, seed=1) - 0.5,
        0.1 * _random(64, 3, seed=2) + 0.02,
        0.8 * _random(64, seed=3) + 0.1,
        _random(64, 3, seed=4),
    )


def _splat(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    means, wxyz, scales, opacities, colours = leaves = _gaussians(device, dtype)
    images = splat(means, wxyz, scales, opacities, colours, _cameras(device))
    return _with_gradients([images.colours, images.alpha, images.depth], leaves)


def _splat_lift(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    means, wxyz, scales, opacities, _ = _gaussians(device, dtype)
    maps = _random(2, 40, 48, 5, seed=5).to(device, dtype)
    return lift(means, wxyz, scales, opacities, _cameras(device), maps)


def _surfels(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    means, wxyz, scales, opacities, colours = (leaf.detach() for leaf in _gaussians(device, dtype))
    leaves = _leaves(device, dtype, means, wxyz, scales[:, :2], opacities, colours)
    means, wxyz, scales, opacities, colours = leaves
    images = surfels(means, wxyz, scales, opacities, colours, _cameras(device))
    return _with_gradients([images.colours, images.alpha, images.normal], leaves)


def _mesh(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    vertices, colours, picture = leaves = _leaves(
        device, dtype, _random(24, 3) - 0.5, _random(24, 3, seed=1), _random(8, 8, 2, seed=2)
    )
    faces, cameras = torch.arange(24, device=device).reshape(8, 3), _cameras(device)
    fragments = rasterize(vertices, faces, cameras)
    values = interpolate(colours, faces, fragments)
    smooth = antialias(values, fragments, vertices, faces, cameras)
    textured = bilinear(picture, values[..., :2])
    return [fragments.triangle, *_with_gradients([fragments.barycentric, smooth, textured], leaves)]


def _ssim(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    leaves = _leaves(device, dtype, _random(2, 24, 20, 3), _random(2, 24, 20, 3, seed=1))
    return _with_gradients([ssim_map(*leaves)], leaves)


def _network(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    shapes = ((16, GRID.outputs), (16, 16), (3, 16))
    return _leaves(device, dtype, *[0.5 * _random(*shape, seed=sum(shape)) - 0.2 for shape in shapes])


def _table(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    return _leaves(device, dtype, _random(100, 3), _random(*GRID.table_shape, seed=1))


def _hashgrid(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    positions, table = leaves = _table(device, dtype)
    return _with_gradients([hashgrid(positions, table, GRID)], leaves)


def _mlp(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    leaves = [*_leaves(device, dtype, _random(100, GRID.outputs)), *_network(device, dtype)]
    return _with_gradients([mlp(leaves[0], leaves[1:])], leaves)


def _hashgrid_mlp(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    leaves = [*_table(device, dtype), *_network(device, dtype)]
    return _with_gradients([hashgrid_mlp(leaves[0], leaves[1], GRID, leaves[2:])], leaves)


def _samples(device: torch.device, dtype: torch.dtype, step: float = 0.0937) -> Samples:
    origins, directions = turntable(1, width=8, height=8).to(device).rays()
    occupied = (_random(1, 8, 8, 8) < 0.5).to(device)
    return march(origins.reshape(-1, 3).to(dtype), directions.reshape(-1, 3).to(dtype), occupied, step=step)


def _march(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    samples = _samples(device, dtype)
    return [samples.starts, samples.ends, samples.points, samples.rays, samples.offsets]


def _occupied_length(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    samples = _samples(device, dtype, step=0.01)
    return [(samples.ends - samples.starts).sum() / 64]


def _composite(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    samples = _samples(device, dtype)
    count, speeds = len(samples.starts), torch.ones(64, device=device, dtype=dtype)
    leaves = _leaves(device, dtype, 3 * _random(count), _random(count, 3, seed=1))
    seen = composite(samples, speeds, *leaves)
    return _with_gradients([seen.values, seen.alpha, seen.depth, seen.distortion], leaves)


def _resample(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    samples = _samples(device, dtype)
    return [resample(samples, _random(len(samples.starts)).to(device, dtype), 9)]


def _scan(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    leaves = _leaves(device, dtype, _random(90))
    offsets = torch.tensor([0, 7, 7, 40, 90], dtype=torch.int32, device=device)
    return _with_gradients([exclusive_sum(leaves[0], offsets), inclusive_product(leaves[0], offsets)], leaves)


def _grids(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    points, dense, planes, lines = leaves = _leaves(
        device,
        dtype,
        1.9 * _random(80, 3) - 0.95,
        _random(5, 6, 7, 4, seed=1),
        _random(3, 6, 6, 4, seed=2),
        _random(3, 6, 4, seed=3),
    )
    return _with_gradients(
        [voxels(dense, points), triplane(planes, points), vm(planes, lines, points)], leaves
    )


EXAMPLES: dict[str, Example] = {
    "splat": _splat,
    "splat_lift": _splat_lift,
    "surfels": _surfels,
    "mesh": _mesh,
    "ssim": _ssim,
    "hashgrid": _hashgrid,
    "mlp": _mlp,
    "hashgrid_mlp": _hashgrid_mlp,
    "march": _march,
    "composite": _composite,
    "resample": _resample,
    "scan": _scan,
    "grids": _grids,
}
"""By the names that `distill3d.ops.backends.choose` is asked with."""
ADAPTED = EXAMPLES | {"march": _occupied_length}
"""For other people's kernels, whose samples need not be ours."""
