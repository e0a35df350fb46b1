"""Checkpoints of nerfstudio with a field of nerfacto's family, step-*.ckpt: nerfacto, and its instant-ngp.

`pipeline` holds _model.field.{mlp_base, mlp_head, embedding_appearance}.*, see `_nerfstudio_network`; what
its shapes do not say stands in config.yml, see `_nerfstudio_settings`.

Space is contracted outside of the cube [-1, 1]³ around which the cameras stand: Barron et al. 2022, Mip-NeRF
360 (arXiv 2111.12077), equation 10, with the largest coordinate as the norm. A field here ends at a sphere,
so what lies outside of that cube is left out. Photographs' appearances are replaced by their mean, or by
nothing, as nerfstudio does where it shows a scene.

Source: nerfstudio's fields/nerfacto_field.py, models/{nerfacto,instant_ngp}.py, engine/trainer.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d.errors import UserError, lost
from distill3d.formats import _nerfstudio_network as networks
from distill3d.formats import checkpoint
from distill3d.formats._nerfstudio_network import Grid, Perceptron, Tables, tensor
from distill3d.formats._nerfstudio_settings import Settings, from_photographs
from distill3d.representations._placed import Place
from distill3d.representations.nerfacto import FEATURES, HARMONICS, Nerfacto

PREFIX = "_model.field."
SEEN = (HARMONICS + 1) ** 2 + FEATURES
CONTRACTED = 2.0
"""Half the side of the cube that contracted space fills; the grid lies in that."""
SAMPLES = 1024
LOOKS = 8
"""At random points of every cell of the occupancy grid, before the field is drawn for the first time."""


def found_in(data: bytes) -> bool:
    """Whether a checkpoint has a field of nerfstudio."""
    return checkpoint.names(data, f"{PREFIX}mlp_base")


def read(data: bytes, folder: Path) -> Nerfacto:
    """The field of a checkpoint in `folder`, upright as nerfstudio has put it, its cube in the unit ball."""
    content = checkpoint.read(data, "nerfstudio's")
    pipeline = content.get("pipeline") if isinstance(content, Mapping) else None
    if not isinstance(pipeline, Mapping):
        raise UserError("the checkpoint has no pipeline; expected one that nerfstudio has written")
    model = {str(k).removeprefix(PREFIX): v for k, v in pipeline.items() if str(k).startswith(PREFIX)}
    settings = Settings.beside(folder)
    tables, density = _base(model, settings)
    colour = _without_appearance(model, settings, _head(model, settings))
    _check(tables, density, colour)
    first = settings.number("average_init_density", 1.0)
    if not first > 0:
        raise UserError(f"config.yml: average_init_density is {first:g}; expected a density over 0")
    density.biases[-1][0] += torch.tensor(first).log()
    place = _place(model, settings, folder)
    field = Nerfacto(
        tables.grids,
        tables.tables,
        (density.weights, density.biases),
        (colour.weights, colour.biases),
        shifts=tables.shifts,
        samples=SAMPLES,
        place=place,
    )
    generator = torch.Generator().manual_seed(0)
    for _ in range(LOOKS):
        field.look(generator)
    return field


def _grid(model: Mapping[str, Any], settings: Settings) -> Grid:
    """What the checkpoint says of its grid, and config.yml where it does not."""

    def stored(name: str, default: int) -> int:
        value = model.get(name)
        told = isinstance(value, Tensor) and value.numel() == 1
        return int(value) if isinstance(value, Tensor) and told else settings.whole(name, default)

    grid = Grid(
        stored("num_levels", 16),
        settings.whole("features_per_level", 2),
        stored("log2_hashmap_size", 19),
        settings.whole("base_res", 16),
        stored("max_res", 2048),
    )
    sound = 1 <= grid.levels <= 32 and 3 <= grid.log2_entries <= 24 and 1 <= grid.coarsest <= grid.finest
    if not sound or grid.finest > 1 << 20:
        raise UserError(f"the checkpoint's grid is {grid}; expected at most 32 levels of 2^24 entries")
    return grid


def _base(model: Mapping[str, Any], settings: Settings) -> tuple[Tables, Perceptron]:
    """The grid and the density network; in nerfstudio's releases they have been one module, or two."""
    grid = _grid(model, settings)
    width = settings.whole("hidden_dim", 64)
    widths = [grid.levels * grid.features, width, 1 + FEATURES]
    for name in ("mlp_base.model.params", "mlp_base.params", "mlp_base.tcnn_encoding.params"):
        if name in model:
            numbers = tensor(model, name).reshape(-1)
            density, rest = networks.packed_perceptron(numbers, widths, filled_with_ones=False)
            return networks.packed_tables(rest, grid), density
    if "mlp_base.0.tcnn_encoding.params" in model:
        table, numbers = (tensor(model, f"mlp_base.{i}.tcnn_encoding.params").reshape(-1) for i in (0, 1))
        density, _ = networks.packed_perceptron(numbers, widths, filled_with_ones=True)
        return networks.packed_tables(table, grid), density
    for name in ("mlp_base.model", "mlp_base"):
        if f"{name}.0.hash_table" in model:
            tables = networks.named_tables(tensor(model, f"{name}.0.hash_table"), grid)
            return tables, networks.named_perceptron(model, f"{name}.1")
    raise UserError(
        f"the checkpoint's field has {', '.join(sorted(model)[:6])[:200]}; expected nerfacto's mlp_base"
    )


def _head(model: Mapping[str, Any], settings: Settings) -> Perceptron:
    """The colour network, which sees harmonics of the direction as they are here."""
    width = settings.whole("hidden_dim_color", 64)
    widths = [SEEN + _appearance(model).shape[1], width, width, 3]
    for name in ("mlp_head.tcnn_encoding.params", "mlp_head.params"):
        if name in model:
            return networks.packed_perceptron(tensor(model, name).reshape(-1), widths, filled_with_ones=True)[
                0
            ]
    head = networks.named_perceptron(model, "mlp_head")
    if head.weights[0].shape[1] != widths[0]:
        raise UserError(
            f"the checkpoint's colour network sees {head.weights[0].shape[1]} numbers; expected {widths[0]}"
        )
    count = SEEN - FEATURES
    first = torch.cat([networks.seen_as_harmonics(head.weights[0][:, :count]), head.weights[0][:, count:]], 1)
    return Perceptron([first, *head.weights[1:]], head.biases)


def _appearance(model: Mapping[str, Any]) -> Float[Tensor, "N A"]:
    """What is learned of each photograph; nothing in fields without."""
    name = "embedding_appearance.embedding.weight"
    found = tensor(model, name) if name in model else torch.zeros(1, 0)
    if found.ndim != 2 or not len(found):
        raise UserError(
            f"the checkpoint's {name} is {tuple(found.shape)}; expected a row for each photograph"
        )
    return found


def _without_appearance(model: Mapping[str, Any], settings: Settings, head: Perceptron) -> Perceptron:
    """The colour network for one appearance, which becomes a part of its first biases."""
    weight, appearance = head.weights[0], _appearance(model)
    average = settings.flag("use_average_appearance_embedding", False)
    usual = appearance.mean(0) if average else torch.zeros(appearance.shape[1])
    bias = head.biases[0] + weight[:, SEEN:] @ usual
    return Perceptron([weight[:, :SEEN], *head.weights[1:]], [bias, *head.biases[1:]])


def _check(tables: Tables, density: Perceptron, colour: Perceptron) -> None:
    """Raise UserError where one part does not fit the next."""
    features = sum(grid.outputs for grid in tables.grids)
    ends = [(network.weights[0].shape[1], network.weights[-1].shape[0]) for network in (density, colour)]
    if ends != [(features, 1 + FEATURES), (SEEN, 3)]:
        raise UserError(
            f"the checkpoint's networks have {ends[0][0]} to {ends[0][1]} and {ends[1][0]} to {ends[1][1]} "
            f"numbers; expected {features} to {1 + FEATURES} and {SEEN} to 3"
        )


def _place(model: Mapping[str, Any], settings: Settings, folder: Path) -> Place:
    """Where the field stands here: what is drawn of it, a cube or a box, within the unit ball."""
    if settings.flag("disable_scene_contraction", False):
        drawn = tensor(model, "aabb")
        if tuple(drawn.shape) != (2, 3) or not bool((drawn[0] < drawn[1]).all()):
            raise UserError("the checkpoint's aabb is no box; expected its lowest and its highest corner")
        cube = drawn
    else:
        drawn = torch.tensor([[-1.0] * 3, [1.0] * 3])
        cube = CONTRACTED * drawn
        lost("the field's world outside of its cube [-1, 1]³, where space is contracted, is left out")
    middle, radius = drawn.mean(0), (drawn[1] - drawn[0]).norm() / 2
    to_source = torch.cat([radius * torch.eye(3), middle[:, None]], 1)
    square = torch.cat([to_source, torch.tensor([[0.0, 0, 0, 1]])]).double()
    way = from_photographs(folder)
    if way is None:
        lost("dataparser_transforms.json is not beside the checkpoint: the photographs' world is not known")
        way = torch.eye(4).double()
    return Place(to_source, cube, drawn, torch.linalg.inv(square) @ way)
