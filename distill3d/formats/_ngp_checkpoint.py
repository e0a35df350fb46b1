"""What checkpoints of torch-ngp and of all of PVD's architectures share: networks, box, occupancy."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats import _cascades, checkpoint
from distill3d.formats.instant_ngp import MOST_SAMPLES, TO_Z_UP
from distill3d.ops.mlp import MAX_LAYERS, MAX_WIDTH
from distill3d.representations._placed import Place, Placed

EXPECTED = "torch-ngp's or PVD's, or gsplat's, or splatfacto's"
STEPS = 1024
"""Along a ray through the whole scene, for a cube of side 2."""
SCALE, PVD_SCALE = 0.33, 0.8
"""What torch-ngp's `--scale` and PVD's are by default: positions of the photographs are multiplied by it, but
the checkpoint does not say it."""


def bound(model: Mapping[str, Any]) -> float:
    """Half the side of the cube that the field is in."""
    corner = tensor(model, "aabb_train").reshape(-1)
    if (
        len(corner) != 6
        or not bool((corner[3:] == -corner[:3]).all())
        or not bool((corner[3:] == corner[3]).all())
    ):
        raise UserError("the checkpoint's aabb_train is no cube around 0; expected torch-ngp's six numbers")
    found = float(corner[3])
    if not 0.01 <= found <= 1024:
        raise UserError(f"the checkpoint's bound is {found:g}; expected 0.01 to 1024")
    return found


def samples(bound: float) -> int:
    """Along a ray through the whole scene."""
    return min(max(round(STEPS * bound), 2), MOST_SAMPLES)


def network(model: Mapping[str, Any], name: str) -> list[Tensor]:
    """The weights [outputs, inputs] of a small perceptron without biases, layer by layer."""
    count = sum(str(key).startswith(f"{name}.") and str(key).endswith(".weight") for key in model)
    weights = [tensor(model, f"{name}.{i}.weight") for i in range(count)]
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


def place(model: Mapping[str, Any], bound: float, scale: float) -> Place:
    """Where the field stands here: upright, what is drawn of it within the unit ball.

    scale: what the photographs' world is taken to have been multiplied by; see `Placed.set_source_scale`.
    """
    cube = torch.tensor([[-bound] * 3, [bound] * 3])
    drawn = cube
    if "aabb_infer" in model:
        corners = tensor(model, "aabb_infer").reshape(-1)
        if len(corners) != 6:
            raise UserError(f"the checkpoint's aabb_infer has {len(corners)} numbers; expected six")
        drawn = torch.stack([corners[:3].clamp_min(-bound), corners[3:].clamp_max(bound)])
    if not bool((drawn[0] < drawn[1]).all()):
        raise UserError("the checkpoint's aabb_infer is empty; expected a box")
    middle, radius = drawn.mean(0), (drawn[1] - drawn[0]).norm() / 2
    to_source = torch.cat([radius * TO_Z_UP.T.float(), middle[:, None]], 1)
    square = torch.cat([to_source, torch.tensor([[0.0, 0, 0, 1]])]).double()
    from_photographs = torch.eye(4).double()
    from_photographs[:3, :3] = scale * TO_Z_UP.T
    return Place(to_source, cube, drawn, torch.linalg.inv(square) @ from_photographs)


def occupancy(model: Mapping[str, Any]) -> tuple[Bool[Tensor, " C"], Float[Tensor, " C"]] | None:
    """Which cells of the cascades are drawn, and the densities found in them; None without a grid."""
    if "density_grid" not in model or "density_bitfield" not in model:
        return None
    density, bits = tensor(model, "density_grid").reshape(-1), model["density_bitfield"]
    _cascades.count(len(density))
    if not isinstance(bits, Tensor) or bits.dtype != torch.uint8 or 8 * bits.numel() != len(density):
        raise UserError(
            "the checkpoint's density_bitfield does not fit its density_grid; expected one bit a cell"
        )
    return ((bits.reshape(-1, 1) >> torch.arange(8, dtype=torch.uint8)) & 1).reshape(-1).bool(), density


def set_occupancy(field: Placed, model: Mapping[str, Any], bound: float) -> None:
    """Cells whose bit is set are drawn; without a grid, all are."""
    found = occupancy(model)
    if found is None:
        return
    remembered = _cascades.remembered(field, *found, centre=0.0, half=min(1.0, bound))
    field.load_state_dict({**field.state_dict(), "remembered": remembered})


def tensor(model: Mapping[str, Any], name: str) -> Tensor:
    """The numbers of a name, as float32."""
    value = model.get(name)
    if not isinstance(value, Tensor) or not value.is_floating_point() or not checkpoint.all_there(value):
        raise UserError(f"the checkpoint has no {name} of numbers; expected {EXPECTED}")
    if not bool(value.isfinite().all()):
        raise UserError(f"the checkpoint's {name} has numbers that are not finite; its training has failed")
    return value.detach().float().contiguous()
