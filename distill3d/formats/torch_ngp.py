"""Checkpoints of torch-ngp and of PVD's hash grids, .pth: Instant-NGP in plain torch; others of PVD's too.

`model` has encoder.{embeddings, offsets}, sigma_net.{0..}.weight, color_net.{0..}.weight, aabb_train and,
where it was trained with an occupancy grid, density_grid and density_bitfield (Morton order). The colour
network sees the direction's harmonics and then the density network's outputs but the first. The world is that
of instant-ngp without its offset: y up, axes (y, z, x); how much photographs were scaled is not in the file,
so that it is taken to be as much as by default.

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
from distill3d.formats import _ngp_checkpoint, checkpoint, pvd
from distill3d.ops.hashgrid_layout import HashGrid, levels
from distill3d.representations._placed import Placed
from distill3d.representations.instant_ngp import FEATURES, HARMONICS, InstantNgp

BASE, FINEST = 16, 2048
"""Resolutions of the coarsest level, and of the finest in a cube of side 2, times half the cube's side."""
SEEN = (HARMONICS + 1) ** 2
PVD_LEVELS = 14
"""Of PVD's grids; torch-ngp's have 16."""


def found_in(data: bytes) -> bool:
    """Whether a checkpoint is of this family."""
    return checkpoint.names(data, "color_net") or checkpoint.names(data, "tensor_volume")


def read(data: bytes) -> Placed:
    """The field of a checkpoint, upright, its cube within the unit ball."""
    content = checkpoint.read(data, _ngp_checkpoint.EXPECTED)
    model = content.get("model", content) if isinstance(content, Mapping) else None
    if isinstance(model, Mapping):
        if "encoder.embeddings" in model:
            return _hash_grid(model)
        if pvd.found_in(model):
            return pvd.field(model)
    raise UserError(
        "a checkpoint without a field; expected torch-ngp's, or PVD's with encoder.embeddings, or with "
        f"{', '.join(pvd.FIELDS)}"
    )


def _hash_grid(model: Mapping[str, Any]) -> InstantNgp:
    bound = _ngp_checkpoint.bound(model)
    table = _ngp_checkpoint.tensor(model, "encoder.embeddings")
    density, colour = (_ngp_checkpoint.network(model, name) for name in ("sigma_net", "color_net"))
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
    samples = _ngp_checkpoint.samples(bound)
    scale = _ngp_checkpoint.PVD_SCALE if layout.levels == PVD_LEVELS else _ngp_checkpoint.SCALE
    place = _ngp_checkpoint.place(model, bound, scale)
    field = InstantNgp(table, density, [first, *colour[1:]], layout=layout, samples=samples, place=place)
    _ngp_checkpoint.set_occupancy(field, model, bound)
    return field


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
