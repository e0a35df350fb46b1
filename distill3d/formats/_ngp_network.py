"""The weights in a snapshot of instant-ngp: one row of numbers, cut up as its network's configuration says.

Source: instant-ngp's nerf_network.h (the order: density network, colour network, hash grid) and testbed.cu
(what a configuration leaves out); tiny-cuda-nn's fully_fused_mlp and cutlass_mlp (weights [outputs, inputs]
by rows, inputs and outputs filled up to a multiple of 16 or 8).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distill3d.errors import UserError
from distill3d.ops.hashgrid_layout import HashGrid
from distill3d.ops.mlp import MAX_LAYERS, MAX_WIDTH

OUTPUTS = 16
"""Of the density network."""
DEGREE = 4
"""Of the harmonics in tiny-cuda-nn's words, which counts from 1."""
FINEST = 2048
"""Entries along a side of the unit cube in the finest level."""
FILLED = {"fullyfusedmlp": 16, "megakernelmlp": 16, "cutlassmlp": 8}
"""What each kind of network fills up its inputs and outputs to a multiple of."""


@dataclass(frozen=True)
class Network:
    """Of a `distill3d.representations.instant_ngp.InstantNgp`."""

    layout: HashGrid
    table: Tensor
    density: list[Tensor]
    colour: list[Tensor]


def network(config: Mapping[str, Any], numbers: np.ndarray, aabb_scale: float) -> Network:
    """The network of a snapshot, whose top level is `config`, from all its parameters."""
    layout = _layout(_part(config, "encoding"), aabb_scale)
    _check_directions(_part(config, "dir_encoding"))
    density = _shapes(_part(config, "network"), layout.outputs, OUTPUTS)
    colour = _shapes(_part(config, "rgb_network"), OUTPUTS + DEGREE**2, 3)
    rows, features = layout.table_shape
    expected = sum(o * i for o, i in density + colour) + rows * features
    if len(numbers) != expected:
        raise UserError(
            f"the snapshot has {len(numbers)} parameters, and its network {expected}; expected a field of "
            "instant-ngp without extra dimensions, trained with its base.json or one like it"
        )
    values = torch.from_numpy(numbers.astype(np.float32))
    weights: list[Tensor] = []
    for outputs, inputs in density + colour:
        weight, values = values[: outputs * inputs].reshape(outputs, inputs), values[outputs * inputs :]
        weights.append(weight)
    weights[0] = weights[0][:, : layout.outputs]
    weights[-1] = weights[-1][:3]
    return Network(layout, values.reshape(rows, features), weights[: len(density)], weights[len(density) :])


def _layout(encoding: Mapping[str, Any], aabb_scale: float) -> HashGrid:
    kind = str(encoding.get("otype", "")).lower()
    if kind not in ("hashgrid", "grid") or str(encoding.get("type", "Hash")).lower() != "hash":
        raise UserError(f'the snapshot encodes positions by "{kind[:40]}"; expected a hash grid')
    smooth = str(encoding.get("interpolation", "Linear")).lower()
    if smooth not in ("linear", "smoothstep"):
        raise UserError(f'the grid is interpolated by "{smooth[:40]}"; expected linear or smoothstep')
    levels = whole(encoding, "n_levels", 16)
    log2_entries = whole(encoding, "log2_hashmap_size", 15)
    base = whole(encoding, "base_resolution", 0) or 1 << (log2_entries // 3)
    growth = number(encoding, "per_level_scale", 0.0)
    if growth <= 0:
        growth = math.exp(math.log(FINEST * aabb_scale / base) / max(levels - 1, 1))
    features = whole(encoding, "n_features_per_level", 2)
    try:
        return HashGrid(3, levels, features, log2_entries, base, growth, smooth == "smoothstep")
    except ValueError as error:
        raise UserError(f"the snapshot's grid cannot be: {error}") from error


def _check_directions(encoding: Mapping[str, Any]) -> None:
    nested = encoding.get("nested", [encoding])
    first = nested[0] if isinstance(nested, list) and nested and isinstance(nested[0], Mapping) else {}
    others = nested[1:] if isinstance(nested, list) else []
    plain = all(isinstance(e, Mapping) and str(e.get("otype")).lower() == "identity" for e in others)
    if str(first.get("otype")).lower() != "sphericalharmonics" or first.get("degree") != DEGREE or not plain:
        raise UserError(
            f"the snapshot encodes directions by {str(first.get('otype'))[:40]} of degree "
            f"{str(first.get('degree'))[:10]}; expected spherical harmonics of degree {DEGREE}"
        )


def _shapes(config: Mapping[str, Any], inputs: int, outputs: int) -> list[tuple[int, int]]:
    """Rows and columns of each layer's weights, filled up."""
    kind = str(config.get("otype", "")).lower()
    activations = (str(config.get("activation")).lower(), str(config.get("output_activation")).lower())
    if kind not in FILLED or activations != ("relu", "none"):
        raise UserError(
            f"the snapshot has a {kind[:40] or 'network'} with {activations[0][:20]} and "
            f"{activations[1][:20]}; expected FullyFusedMLP or CutlassMLP with ReLU and no output activation"
        )
    hidden, width = whole(config, "n_hidden_layers", 5), whole(config, "n_neurons", 128)
    if not 1 <= hidden < MAX_LAYERS or not 1 <= width <= MAX_WIDTH:
        raise UserError(
            f"the snapshot has a network of {hidden} hidden layers of {width}; expected 1 to "
            f"{MAX_LAYERS - 1} of at most {MAX_WIDTH}"
        )
    step = FILLED[kind]
    sizes = [-(-inputs // step) * step, *[width] * hidden, -(-outputs // step) * step]
    return [(o, i) for i, o in pairwise(sizes)]


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = config.get(name)
    if not isinstance(part, Mapping):
        raise UserError(f"the snapshot does not say its {name}; expected one that instant-ngp has saved")
    return part


def whole(config: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number, 0 or more."""
    value = config.get(name, default)
    if not isinstance(value, int) or not 0 <= value < 1 << 31:
        raise UserError(f"the snapshot's {name} is {str(value)[:40]}; expected a whole number")
    return value


def number(config: Mapping[str, Any], name: str, default: float) -> float:
    """A finite number."""
    value = config.get(name, default)
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e9:
        raise UserError(f"the snapshot's {name} is {str(value)[:40]}; expected a number")
    return float(value)
