"""Checkpoints of PVD's other architectures than hash grids, .pth: networks, planes with lines, dense grids.

mlp: nerf_mlp.{0..}.{weight, bias} on waves of the coordinates, which one layer sees again, then sigma_net.
vm: {sigma, color}_mat.{0, 1, 2} [1, R, N, N] of xy, xz and yz, rows along the second letter, _vec.{0, 1, 2}
[1, R, N, 1] of z, y and x, and basis_mat. tensors: tensor_volume.0 [1, 1 + 3 K, Z, Y, X]. All but the last
have a color_net, and all of them what torch-ngp's have: aabb_train, density_grid, density_bitfield.

PVD's limits of logarithms of densities, -2 and 7, are options that no file keeps; here they are its defaults.
While it distils it keeps planes' colour features between them too, as here, and while it trains it does not.

Source: Fang et al. 2023 (arXiv 2211.15977), section 3, and its code's distill_mutual/network.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from distill3d import sh
from distill3d.errors import UserError
from distill3d.formats._cascades import unrolled
from distill3d.formats._ngp_checkpoint import (
    PVD_SCALE,
    bound,
    network,
    occupancy,
    place,
    samples,
    set_occupancy,
    tensor,
)
from distill3d.representations import _sight
from distill3d.representations._placed import Place
from distill3d.representations._pvd_blocks import Network, Planes, Voxels
from distill3d.representations.mlp import MOST_FREQUENCIES
from distill3d.representations.pvd import FEATURES, Pvd

MOST_LAYERS = 32


def found_in(model: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's model is one of these."""
    return any(name in model for name in FIELDS)


def field(model: Mapping[str, Any]) -> Pvd:
    """The field of a model, upright, its cube within the unit ball."""
    half = bound(model)
    where = place(model, half, PVD_SCALE)
    if "nerf_mlp.0.weight" in model:  # it sees the source's own coordinates
        where = replace(where, cube=Place().cube)
    block = next(read for name, read in FIELDS.items() if name in model)(model)
    found = occupancy(model)
    cells = None if found is None else unrolled(found[0])
    scene = Pvd(block, samples=samples(half), place=where, cells=cells, reach=min(1.0, half))
    set_occupancy(scene, model, half)
    return scene


def _network(model: Mapping[str, Any]) -> Network:
    count = sum(str(key).startswith("nerf_mlp.") and str(key).endswith(".weight") for key in model)
    if not 1 <= count <= MOST_LAYERS:
        raise UserError(f"the checkpoint's nerf_mlp has {count} layers; expected 1 to {MOST_LAYERS}")
    weights, biases = (
        [tensor(model, f"nerf_mlp.{i}.{what}") for i in range(count)] for what in ("weight", "bias")
    )
    density = network(model, "sigma_net")
    outputs = density[0].shape[1]
    if not _chained(weights, biases, outputs):
        raise UserError(
            f"the checkpoint's nerf_mlp is {[tuple(w.shape) for w in weights[:9]]}; expected 3 and 6 for "
            f"each of up to {MOST_FREQUENCIES} octaves to the {outputs} that sigma_net sees, each layer "
            "as wide as the next one expects, and as many biases"
        )
    if density[-1].shape[0] != 1 + FEATURES:
        raise UserError(f"the checkpoint's sigma_net ends in {density[-1].shape[0]}; expected {1 + FEATURES}")
    return Network(weights, biases, density, _radiance(model))


def _chained(weights: list[Tensor], biases: list[Tensor], outputs: int) -> bool:
    """Whether each layer sees what is before it, or the waves of the coordinates and that."""
    if any(weight.ndim != 2 for weight in weights):
        return False
    seen = weights[0].shape[1]
    octaves, rest = divmod(seen - 3, 6)
    fits = all(after.shape[1] - before.shape[0] in (0, seen) for before, after in pairwise(weights))
    own = all(bias.shape == weight.shape[:1] for weight, bias in zip(weights, biases, strict=True))
    return fits and own and rest == 0 and 0 <= octaves <= MOST_FREQUENCIES and len(weights[-1]) == outputs


def _planes(model: Mapping[str, Any]) -> Planes:
    density, colour = (_stacked(model, name) for name in ("sigma", "color"))
    basis, expected = tensor(model, "basis_mat.weight"), (FEATURES, 3 * colour[1].shape[2])
    if tuple(basis.shape) != expected:
        raise UserError(f"the checkpoint's basis_mat is {tuple(basis.shape)}; expected {expected}")
    return Planes(*density, *colour, basis, _radiance(model))


def _stacked(model: Mapping[str, Any], name: str) -> tuple[Tensor, Tensor]:
    """Planes [3, N, N, R] and lines [3, N, R] of a name."""
    planes, lines = ([tensor(model, f"{name}_{what}.{i}") for i in range(3)] for what in ("mat", "vec"))
    one, rank, side = (*planes[0].shape, 0, 0, 0)[:3]
    fits = all(tuple(plane.shape) == (1, rank, side, side) for plane in planes)
    fits = fits and all(tuple(line.shape) == (1, rank, side, 1) for line in lines)
    if not fits or one != 1 or rank < 1 or side < 2:
        raise UserError(
            f"the checkpoint's {name}_mat are {[tuple(plane.shape) for plane in planes]} and its {name}_vec "
            f"{[tuple(line.shape) for line in lines]}; expected (1, R, N, N) and (1, R, N, 1), N of 2 or more"
        )
    across = torch.cat([plane.permute(0, 2, 3, 1) for plane in planes])
    return across, torch.cat([line[..., 0].mT for line in lines])


def _voxels(model: Mapping[str, Any]) -> Voxels:
    volume = tensor(model, "tensor_volume.0")
    fits = volume.ndim == 5 and len(volume) == 1 and min(volume.shape[2:]) >= 2
    if not fits or volume.shape[1] not in [1 + 3 * (degree + 1) ** 2 for degree in range(sh.MAX_DEGREE + 1)]:
        raise UserError(
            f"the checkpoint's tensor_volume is {tuple(volume.shape)}; expected (1, 1 + 3 K, Z, Y, X) with "
            "harmonics K of 1, 4, 9 or 16 and 2 or more points along each side"
        )
    return Voxels(volume[0, 0], volume[0, 1:].permute(1, 2, 3, 0).contiguous())


def _radiance(model: Mapping[str, Any]) -> list[Tensor]:
    weights = network(model, "color_net")
    if weights[0].shape[1] != _sight.HARMONICS + FEATURES or weights[-1].shape[0] != 3:
        raise UserError(
            f"the checkpoint's color_net is {[tuple(w.shape) for w in weights]}; expected "
            f"{_sight.HARMONICS + FEATURES} to 3"
        )
    return weights


FIELDS = {"nerf_mlp.0.weight": _network, "sigma_mat.0": _planes, "tensor_volume.0": _voxels}
"""What each architecture is known by, and how it is read."""
