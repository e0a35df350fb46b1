"""Checkpoints of torch-ngp and of PVD's hash grids, .pth: Instant-NGP in plain torch.

`model` has encoder.{embeddings, offsets}, sigma_net.{0..}.weight, color_net.{0..}.weight, aabb_train and,
where it was trained with an occupancy grid, density_grid and density_bitfield (Morton order). The colour
network sees the direction's harmonics and then the density network's outputs but the first. The world is that
of instant-ngp without its offset: y up, axes (y, z, x); how much photographs were scaled is not in the file.

Source: torch-ngp's gridencoder and nerf/network.py; Fang et al. 2023 (arXiv 2211.15977), PVD, whose
checkpoints these are too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats import _cascades, checkpoint
from distill3d.formats.instant_ngp import MOST_SAMPLES, TO_Z_UP
from distill3d.ops.hashgrid_layout import HashGrid, levels
from distill3d.ops.mlp import MAX_LAYERS, MAX_WIDTH
from distill3d.representations._placed import Place
from distill3d.representations.instant_ngp import FEATURES, HARMONICS, InstantNgp

BASE, FINEST = 16, 2048
"""Resolutions of the coarsest level, and of the finest in a cube of side 2, times half the cube's side."""
STEPS = 1024
"""Along a ray through the whole scene, for a cube of side 2."""
EXPECTED = "torch-ngp's or PVD's, or gsplat's, or splatfacto's"
SEEN = (HARMONICS + 1) ** 2


def found_in(data: bytes) -> bool:
    """Whether a checkpoint is of this family."""
    return checkpoint.names(data, "color_net") or checkpoint.names(data, "tensor_volume")


def read(data: bytes) -> InstantNgp:
    """The field of a checkpoint, upright, its cube within the unit ball."""
    content = checkpoint.read(data, EXPECTED)
    model = content.get("model", content) if isinstance(content, Mapping) else None
    if not isinstance(model, Mapping) or "encoder.embeddings" not in model:
        kinds = {"tensor_volume": "voxels", "sigma_mat": "planes and lines", "nerf_mlp": "a network"}
        kind = next(
            (k for name, k in kinds.items() if any(str(key).startswith(name) for key in model or ())), ""
        )
        raise UserError(
            f"a checkpoint of {kind or 'something'} without a hash grid; expected torch-ngp's, or PVD's of "
            "model type hash, so distil it into that with PVD"
        )
    corner = _tensor(model, "aabb_train").reshape(-1)
    if (
        len(corner) != 6
        or not bool((corner[3:] == -corner[:3]).all())
        or not bool((corner[3:] == corner[3]).all())
    ):
        raise UserError("the checkpoint's aabb_train is no cube around 0; expected torch-ngp's six numbers")
    bound = float(corner[3])
    if not 0.01 <= bound <= 1024:
        raise UserError(f"the checkpoint's bound is {bound:g}; expected 0.01 to 1024")
    table = _tensor(model, "encoder.embeddings")
    density, colour = (_network(model, name) for name in ("sigma_net", "color_net"))
    layout = _layout(model, table, bound)
    expected = [(density[0], 1, layout.outputs), (density[-1], 0, FEATURES)]
    expected += [(colour[0], 1, SEEN + FEATURES - 1), (colour[-1], 0, 3)]
    if any(weight.shape[axis] != size for weight, axis, size in expected):
        raise UserError(
            f"the checkpoint's networks are {[tuple(w.shape) for w in density + colour]}; expected "
            f"{layout.outputs} to {FEATURES} and {SEEN + FEATURES - 1} to 3"
        )
    # Ours sees all 16 outputs before the harmonics; what it does not know of the first changes nothing.
    first = torch.cat([torch.zeros(len(colour[0]), 1), colour[0][:, SEEN:], colour[0][:, :SEEN]], 1)
    place = _place(bound, _tensor(model, "aabb_infer").reshape(2, 3) if "aabb_infer" in model else None)
    samples = min(max(round(STEPS * bound), 2), MOST_SAMPLES)
    field = InstantNgp(table, density, [first, *colour[1:]], layout=layout, samples=samples, place=place)
    return _with_occupancy(field, model, bound)


def _layout(model: Mapping[str, Any], table: Tensor, bound: float) -> HashGrid:
    """The only layout with these levels; the checkpoint keeps where each begins."""
    offsets = model.get("encoder.offsets")
    if not isinstance(offsets, Tensor) or offsets.ndim != 1 or not 3 <= len(offsets) <= 33 or table.ndim != 2:
        raise UserError("the checkpoint's hash grid has no list of levels; expected encoder.offsets")
    begins = [int(offset) for offset in offsets]
    largest = max(after - before for before, after in pairwise(begins))
    count = len(begins) - 1
    growth = 2 ** (math.log2(FINEST * bound / BASE) / (count - 1))
    log2_entries = max(largest - 1, 7).bit_length()
    try:
        layout = HashGrid(3, count, table.shape[1], log2_entries, BASE, growth, border=1)
    except ValueError as error:
        raise UserError(f"the checkpoint's hash grid cannot be: {error}") from error
    if [level.first for level in levels(layout)] != begins[:-1] or tuple(table.shape) != layout.table_shape:
        raise UserError(
            f"the checkpoint's hash grid has levels that begin at {begins[:4]}…; expected {BASE} to "
            f"{FINEST * bound:g} cells in {count} levels, as torch-ngp makes them by default"
        )
    return layout


def _network(model: Mapping[str, Any], name: str) -> list[Tensor]:
    count = sum(str(key).startswith(f"{name}.") and str(key).endswith(".weight") for key in model)
    weights = [_tensor(model, f"{name}.{i}.weight") for i in range(count)]
    if any(f"{name}.{i}.bias" in model for i in range(count)):
        raise UserError(f"the checkpoint's {name} has biases; expected weights alone, as in torch-ngp")
    chained = all(w.ndim == 2 and max(w.shape) <= MAX_WIDTH for w in weights) and all(
        after.shape[1] == before.shape[0] for before, after in pairwise(weights)
    )
    if not 1 <= count <= MAX_LAYERS or not chained:
        raise UserError(
            f"the checkpoint's {name} is {[tuple(w.shape) for w in weights[:9]]}; expected 1 to {MAX_LAYERS} "
            f"layers of at most {MAX_WIDTH}, each as wide as the next one expects"
        )
    return weights


def _place(bound: float, drawn: Tensor | None) -> Place:
    cube = torch.tensor([[-bound] * 3, [bound] * 3])
    drawn = cube if drawn is None else torch.stack([drawn[0].clamp_min(-bound), drawn[1].clamp_max(bound)])
    if not bool((drawn[0] < drawn[1]).all()):
        raise UserError("the checkpoint's aabb_infer is empty; expected a box")
    middle, radius = drawn.mean(0), (drawn[1] - drawn[0]).norm() / 2
    to_source = torch.cat([radius * TO_Z_UP.T.float(), middle[:, None]], 1)
    square = torch.cat([to_source, torch.tensor([[0.0, 0, 0, 1]])]).double()
    return Place(to_source, cube, drawn, torch.linalg.inv(square))


def _with_occupancy(field: InstantNgp, model: Mapping[str, Any], bound: float) -> InstantNgp:
    """Cells whose bit is set are drawn; without a grid, all are."""
    if "density_grid" not in model or "density_bitfield" not in model:
        return field
    density, bits = _tensor(model, "density_grid").reshape(-1), model["density_bitfield"]
    _cascades.count(len(density))
    if not isinstance(bits, Tensor) or bits.dtype != torch.uint8 or 8 * bits.numel() != len(density):
        raise UserError(
            "the checkpoint's density_bitfield does not fit its density_grid; expected one bit a cell"
        )
    full = ((bits.reshape(-1, 1) >> torch.arange(8, dtype=torch.uint8)) & 1).reshape(-1).bool()
    remembered = _cascades.remembered(field, full, density, centre=0.0, half=min(1.0, bound))
    field.load_state_dict({**field.state_dict(), "remembered": remembered})
    return field


def _tensor(model: Mapping[str, Any], name: str) -> Tensor:
    value = model.get(name)
    if not isinstance(value, Tensor) or not value.is_floating_point() or not checkpoint.all_there(value):
        raise UserError(f"the checkpoint has no {name} of numbers; expected {EXPECTED}")
    if not bool(value.isfinite().all()):
        raise UserError(f"the checkpoint's {name} has numbers that are not finite; its training has failed")
    return value.detach().float().contiguous()
