"""The tables and perceptrons in a checkpoint of nerfstudio, in whichever of its two layouts they are.

tiny-cuda-nn keeps all numbers of a module in one row: the perceptron's weights [outputs, inputs] by rows,
without biases, inputs and outputs filled up to a multiple of 16 (8 for a width that its fused kernels do not
know), and then the table. What fills up the inputs is 1 where they are numbers, so that those columns are a
bias, and 0 where they are a grid's features.

In plain torch the layers have names and biases. The grid has tables of one size for all levels, which are
looked into by hash only, with ⌊s⌋ cells along a side; entries lie at x·s, not at x·s + ½. The harmonics are
those of (d + 1) / 2, which is no unit vector, and without the signs of Condon and Shortley.

Source: nerfstudio's field_components/{encodings,mlp}.py and utils/spherical_harmonics.py; tiny-cuda-nn's
network_with_input_encoding.h, encodings/{identity,grid}.h and cpp_api.cu.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distill3d import sh
from distill3d.errors import UserError
from distill3d.formats import checkpoint
from distill3d.ops.hashgrid_layout import PRIMES, HashGrid, levels
from distill3d.ops.mlp import MAX_LAYERS, MAX_WIDTH

FUSED = (16, 32, 64, 128)
"""Widths of tiny-cuda-nn's fused kernels, which fill up to 16."""
HARMONICS = 3


@dataclass(frozen=True)
class Grid:
    """The grid that a checkpoint's settings describe."""

    levels: int
    features: int
    log2_entries: int
    coarsest: int
    finest: int

    @property
    def growth(self) -> float:
        """From one level's resolution to the next."""
        return math.exp((math.log(self.finest) - math.log(self.coarsest)) / max(self.levels - 1, 1))


@dataclass(frozen=True)
class Tables:
    """Grids, their tables, and what is taken from positions before each is looked into."""

    grids: list[HashGrid]
    tables: list[Tensor]
    shifts: list[float]


@dataclass(frozen=True)
class Perceptron:
    """Weights [outputs, inputs] and biases [outputs], layer by layer."""

    weights: list[Tensor]
    biases: list[Tensor]


def tensor(model: Mapping[str, Any], name: str) -> Tensor:
    """The numbers of a name, as float32."""
    value = model.get(name)
    if not isinstance(value, Tensor) or not value.is_floating_point() or not checkpoint.all_there(value):
        raise UserError(f"the checkpoint's field has no {name} of numbers; expected one of nerfacto")
    if not bool(value.isfinite().all()):
        raise UserError(f"the checkpoint's {name} has numbers that are not finite; its training has failed")
    return value.detach().float().contiguous()


# tiny-cuda-nn


def packed_perceptron(
    numbers: Float[Tensor, " N"], widths: list[int], *, filled_with_ones: bool
) -> tuple[Perceptron, Float[Tensor, " R"]]:
    """A perceptron of these widths from the first of the numbers, and the numbers that are left."""
    step = 16 if widths[1] in FUSED else 8
    sizes = [-(-widths[0] // step) * step, *widths[1:-1], -(-widths[-1] // step) * step]
    needed = sum(i * o for i, o in pairwise(sizes))
    if len(numbers) < needed or max(sizes) > MAX_WIDTH:
        raise UserError(
            f"the checkpoint has {len(numbers)} numbers for a network of widths {sizes}, which has {needed}; "
            f"expected so many, and widths up to {MAX_WIDTH}, as config.yml says"
        )
    weights = []
    for inputs, outputs in pairwise(sizes):
        weights.append(numbers[: inputs * outputs].reshape(outputs, inputs))
        numbers = numbers[inputs * outputs :]
    biases = [torch.zeros(len(weight)) for weight in weights]
    if filled_with_ones:
        biases[0] = weights[0][:, widths[0] :].sum(1)
    weights[0] = weights[0][:, : widths[0]]
    weights[-1], biases[-1] = weights[-1][: widths[-1]], biases[-1][: widths[-1]]
    return Perceptron(weights, biases), numbers


def packed_tables(numbers: Float[Tensor, " N"], grid: Grid) -> Tables:
    """The table of all levels from all of the numbers."""
    try:
        layout = HashGrid(3, grid.levels, grid.features, grid.log2_entries, grid.coarsest, grid.growth)
    except ValueError as error:
        raise UserError(f"the checkpoint's grid cannot be: {error}") from error
    if len(numbers) != math.prod(layout.table_shape):
        raise UserError(
            f"the checkpoint's grid has {len(numbers)} numbers and one of {grid} has "
            f"{math.prod(layout.table_shape)}; expected the config.yml that it was trained with"
        )
    return Tables([layout], [numbers.reshape(layout.table_shape)], [0.0])


# Plain torch


def named_perceptron(model: Mapping[str, Any], name: str) -> Perceptron:
    """The perceptron whose layers are NAME.layers.0, and so on."""
    prefix = f"{name}.layers."
    count = sum(key.startswith(prefix) and key.endswith(".weight") for key in model)
    weights = [tensor(model, f"{prefix}{i}.weight") for i in range(count)]
    biases = [tensor(model, f"{prefix}{i}.bias") for i in range(count)]
    sound = 1 <= count <= MAX_LAYERS and all(
        w.ndim == 2 and max(w.shape) <= MAX_WIDTH and b.shape == w.shape[:1]
        for w, b in zip(weights, biases, strict=True)
    )
    if not sound or any(after.shape[1] != before.shape[0] for before, after in pairwise(weights)):
        raise UserError(
            f"the checkpoint's {name} is {[tuple(w.shape) for w in weights[:9]]}; expected 1 to {MAX_LAYERS} "
            f"layers of at most {MAX_WIDTH}, each as wide as the next one expects"
        )
    return Perceptron(weights, biases)


def named_tables(table: Tensor, grid: Grid) -> Tables:
    """The tables of all levels in one [levels · entries, features]."""
    entries = 1 << grid.log2_entries
    if tuple(table.shape) != (grid.levels * entries, grid.features):
        raise UserError(
            f"the checkpoint's hash table is {tuple(table.shape)}; expected {grid.levels} levels of "
            f"{entries} entries with {grid.features} features, as config.yml says"
        )
    # in float32, as nerfstudio rounds it
    cells = torch.floor(grid.coarsest * grid.growth ** torch.arange(grid.levels))
    grids, tables, shifts = [], [], []
    for side, rows in zip(cells.long().tolist(), table.split(entries), strict=True):
        layout = HashGrid(3, 1, grid.features, grid.log2_entries, side + 1, 1.0)
        (level,) = levels(layout)
        grids.append(layout)
        tables.append(rows if level.hashed else _unhashed(rows, level.resolution, level.entries))
        shifts.append(0.5 / side)
    return Tables(grids, tables, shifts)


def _unhashed(rows: Float[Tensor, "E F"], side: int, entries: int) -> Float[Tensor, "D F"]:
    """A dense table of `side`³ entries, each with the row that its place is hashed to."""
    x, y, z = (part.flatten() for part in torch.meshgrid(*[torch.arange(side)] * 3, indexing="ij"))
    table = torch.zeros(entries, rows.shape[1])
    table[x + side * (y + side * z)] = rows[_hash(x, y, z) % len(rows)]
    return table


def _hash(x: Int64[Tensor, " P"], y: Int64[Tensor, " P"], z: Int64[Tensor, " P"]) -> Int64[Tensor, " P"]:
    """Müller et al. 2022 (arXiv 2201.05989), equation 4."""
    return (x * PRIMES[0]) ^ (y * PRIMES[1]) ^ (z * PRIMES[2])


def seen_as_harmonics(weight: Float[Tensor, "O K"]) -> Float[Tensor, "O K"]:
    """Weights on harmonics of d for those on what plain torch makes of a unit vector d.

    That is polynomials of (d + 1) / 2 of degree 3 or less, so that on the sphere they are sums of harmonics.
    """
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(
        torch.randn(64, 3, generator=generator, dtype=torch.float64), dim=-1
    )
    found = _polynomials((directions + 1) / 2)
    turn = torch.linalg.lstsq(sh.basis(directions, HARMONICS), found).solution.T
    return (weight.double() @ turn).float()


def _polynomials(p: Float[Tensor, "P 3"]) -> Float[Tensor, "P 16"]:
    """Nerfstudio's polynomials up to degree 3, with the harmonics' constants, of any point."""
    x, y, z = p.unbind(-1)
    one = math.sqrt(3 / (4 * math.pi))
    two = math.sqrt(15 / (4 * math.pi))
    three = math.sqrt(35 / (32 * math.pi)), math.sqrt(105 / (4 * math.pi)), math.sqrt(21 / (32 * math.pi))
    zz5 = 5 * z * z
    terms = [
        torch.full_like(x, sh.DEGREE_0),
        *(one * axis for axis in (y, z, x)),
        *(two * pair for pair in (x * y, y * z)),
        two / math.sqrt(12) * (3 * z * z - 1),
        two * x * z,
        two / 2 * (x * x - y * y),
        three[0] * y * (3 * x * x - y * y),
        three[1] * x * y * z,
        three[2] * y * (zz5 - 1),
        math.sqrt(7 / (16 * math.pi)) * z * (zz5 - 3),
        three[2] * x * (zz5 - 1),
        three[1] / 2 * z * (x * x - y * y),
        three[0] * x * (x * x - 3 * y * y),
    ]
    return torch.stack(terms, -1)
