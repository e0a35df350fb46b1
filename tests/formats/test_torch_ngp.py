"""Checkpoints of torch-ngp: they open as what they mean; nothing that they name is run."""

from __future__ import annotations

import io
import pickle
import zipfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch.testing import assert_close

from distill3d import files
from distill3d.errors import UserError
from distill3d.formats import checkpoint, torch_ngp
from distill3d.representations.instant_ngp import InstantNgp
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives
from tests.formats.ngp_definition import harmonics, morton

LEVELS, BOUND = 3, 1.0
SIDES = [16, 182, 2048]
"""Of the levels, in cells: 16 times 1, √128 and 128, rounded up; there is one entry more along an axis."""


def parameters(log2: int = 12) -> dict[str, torch.Tensor]:
    """The tensors of a small model; with `log2` of 13 its coarsest level is dense."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return 0.6 * torch.randn(*shape, generator=generator)

    entries = [min(2**log2, -(-((side + 1) ** 3) // 8) * 8) for side in SIDES]
    return {
        "encoder.embeddings": noise(sum(entries), 2),
        "encoder.offsets": torch.tensor([0, *np.cumsum(entries)], dtype=torch.int32),
        "sigma_net.0.weight": noise(16, 2 * LEVELS),
        "sigma_net.1.weight": noise(16, 16),
        "color_net.0.weight": noise(16, 31),
        "color_net.1.weight": noise(16, 16),
        "color_net.2.weight": noise(3, 16),
        "aabb_train": torch.tensor([-BOUND] * 3 + [BOUND] * 3),
        "aabb_infer": torch.tensor([-BOUND] * 3 + [BOUND] * 3),
    }


def saved(model: dict[str, Any], **others: Any) -> bytes:
    data = io.BytesIO()
    torch.save({"epoch": 3, "model": model, **others}, data)
    return data.getvalue()


def encoded(u: np.ndarray, model: dict[str, torch.Tensor]) -> np.ndarray:
    """What gridencoder does with align_corners off: a dense level has one entry more than cells."""
    table, offsets = model["encoder.embeddings"].double().numpy(), model["encoder.offsets"].tolist()
    growth = 2 ** (np.log2(2048 * BOUND / 16) / (LEVELS - 1))
    columns = []
    for level in range(LEVELS):
        entries = offsets[level + 1] - offsets[level]
        scale = 16 * growth**level - 1
        side = int(np.ceil(scale)) + 2
        at = u * scale + 0.5
        low = np.floor(at)
        total = np.zeros((len(u), 2))
        for corner in product((0, 1), repeat=3):
            x, y, z = (low + corner).astype(np.uint64).T
            dense = x + y * side + z * side * side
            hashed = (x ^ (y * 2654435761) ^ (z * 805459861)) & 0xFFFFFFFF
            row = (hashed if side**3 > entries else dense) % entries
            weight = np.prod(np.where(corner, at - low, 1 - at + low), 1)
            total += weight[:, None] * table[offsets[level] + row.astype(int)]
        columns.append(total)
    return np.concatenate(columns, 1)


def definition(p: np.ndarray, d: np.ndarray, model: dict[str, torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Density and colour at points and unit directions of torch-ngp's world."""
    weights = {name: value.double().numpy() for name, value in model.items()}
    hidden = np.maximum(encoded((p + BOUND) / (2 * BOUND), model) @ weights["sigma_net.0.weight"].T, 0)
    features = hidden @ weights["sigma_net.1.weight"].T
    h = np.concatenate([harmonics(d), features[:, 1:]], 1)
    for i in range(2):
        h = np.maximum(h @ weights[f"color_net.{i}.weight"].T, 0)
    return np.exp(features[:, 0]), 1 / (1 + np.exp(-h @ weights["color_net.2.weight"].T))


@pytest.mark.parametrize("log2", [12, 13])
def test_density_and_colour_are_those_of_the_definition(log2: int):
    model = parameters(log2)
    field = torch_ngp.read(saved(model))
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(500, 3, generator=generator) * 1.1 - 0.55  # up to the border of the cube, which is ±0.58
    d = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=-1)
    units = float(field.to_source[0, :3].norm())
    assert units == pytest.approx(3**0.5)
    p = (x @ field.to_source[:, :3].T + field.to_source[:, 3]).double().numpy()
    turned = (d @ (field.to_source[:, :3] / units).T).double().numpy()
    sigma, rgb = definition(p, turned, model)
    log_density, colour, _ = field.query(x, d)
    assert_close(log_density.detach(), torch.tensor(np.log(sigma * units)).float(), rtol=0, atol=2e-3)
    assert_close(colour.detach(), torch.tensor(rgb).float(), rtol=0, atol=1e-3)


def test_y_is_up_there_and_z_here():
    field = torch_ngp.read(saved(parameters()))
    top = field.to_source[:, :3] @ torch.tensor([0.0, 0, 1])
    assert_close(top / top.norm(), torch.tensor([0.0, 1, 0]))


def test_only_cells_whose_bit_is_set_are_drawn():
    grid, bits = torch.zeros(1, 128**3), torch.zeros(128**3 // 8, dtype=torch.uint8)
    cell = int(morton(*np.array([[70], [30], [100]]))[0])
    grid[0, cell], grid[0, 5], bits[cell // 8] = 40.0, 30.0, 1 << (cell % 8)
    field = torch_ngp.read(saved({**parameters(), "density_grid": grid, "density_bitfield": bits}))
    near = (field.remembered > 0).nonzero()
    assert 1 <= len(near) <= 8 and field.remembered.max() == pytest.approx(40 * 3**0.5)
    x, y, z = (torch.tensor([70, 30, 100]) + 0.5) / 64 - 1  # of torch-ngp, whose cube is ±1
    ours = torch.stack([z, x, y]) / 3**0.5
    assert ((near.flip(1) + 0.5) / 24 - 1 - ours).abs().max() < 1.5 / 24


def test_it_opens_by_its_content_with_numbers_of_numpy_beside_it(tmp_path: Path):
    stats = {"results": [np.float64(31.4)], "loss": [np.float32(0.1)]}
    (tmp_path / "ngp_ep0003.pth").write_bytes(saved(parameters(), stats=stats))
    field = files.load(tmp_path / "ngp_ep0003.pth")
    assert isinstance(field, InstantNgp) and files.kind_of(field) == "instant_ngp"
    files.save(field, tmp_path / "a.safetensors")
    again = files.load(tmp_path / "a.safetensors")
    x = torch.rand(20, 3) - 0.5
    assert torch.equal(again.log_density(x), field.log_density(x))


# What is refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoder.offsets": torch.tensor([0, 8, 16, 24])}, r"levels that begin at \[0, 8, 16, 24\]"),
        ({"encoder.embeddings": torch.zeros(7, 2)}, "levels that begin"),
        ({"sigma_net.1.weight": torch.zeros(15, 16)}, "networks are"),
        ({"sigma_net.0.weight": torch.zeros(16, 7)}, "networks are"),
        ({"color_net.1.weight": torch.zeros(16, 15)}, "as wide as the next"),
        ({"color_net.0.bias": torch.zeros(16)}, "has biases"),
        ({"color_net.0.weight": torch.full((16, 31), torch.nan)}, "not finite"),
        ({"aabb_train": torch.tensor([-1.0, -1, -1, 1, 1, 2])}, "no cube around 0"),
        ({"density_grid": torch.zeros(1, 100), "density_bitfield": torch.zeros(9)}, "100 cells"),
        ({"encoder.embeddings": torch.zeros(1).expand(10**9, 2)}, "no encoder.embeddings of numbers"),
    ],
)
def test_other_models_are_refused(changes: dict[str, Any], reason: str):
    with pytest.raises(UserError, match=reason):
        torch_ngp.read(saved({**parameters(), **changes}))


def test_a_model_of_none_of_these_kinds_is_refused(tmp_path: Path):
    (tmp_path / "a.pth").write_bytes(saved({"color_net.0.weight": torch.zeros(16, 31)}))
    with pytest.raises(UserError, match=r"a\.pth: a checkpoint without a field; expected .*sigma_mat\.0"):
        files.load(tmp_path / "a.pth")


class Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('this ran')",))


def test_a_checkpoint_that_would_run_something_is_refused():
    with pytest.raises(UserError, match="not a checkpoint of tensors"):
        torch_ngp.read(saved({**parameters(), "color_net.harm": Harm()}))
    with pytest.raises(UserError, match="a zip of tensors"):
        checkpoint.read(pickle.dumps(Harm()), "tensors")


def test_a_checkpoint_that_unpacks_to_more_than_it_is_is_refused():
    source, packed = zipfile.ZipFile(io.BytesIO(saved({"a": torch.zeros(10**6)}))), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(UserError, match="torch stores tensors as they are"):
        checkpoint.read(packed.getvalue(), "tensors")


# Damage


SMALL = saved(parameters(8))


@QUICK
@given(*DAMAGE)
def test_a_damaged_checkpoint_is_a_sentence(places, cut, swap):
    survives(torch_ngp.read, damaged(SMALL, places, cut, swap))


@pytest.mark.slow
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_checkpoints_are_sentences(places, cut, swap):
    survives(torch_ngp.read, damaged(SMALL, places, cut, swap))
