"""Checkpoints of PVD's networks, planes and grids open as what they mean."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch.testing import assert_close

from distill3d import files
from distill3d.camera import look_at
from distill3d.errors import UserError
from distill3d.formats import torch_ngp
from distill3d.representations._placed import EMPTY
from distill3d.representations.pvd import Pvd
from tests.formats import pvd_definition
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives
from tests.formats.ngp_definition import morton

KINDS = ["mlp", "vm", "tensors"]
MODELS = {kind: pvd_definition.checkpoint(kind) for kind in KINDS}


def saved(model: dict[str, Any]) -> bytes:
    data = io.BytesIO()
    torch.save({"epoch": 3, "global_step": 7, "model": model}, data)
    return data.getvalue()


def boxed(model: dict[str, Any], bound: float) -> dict[str, Any]:
    box = torch.tensor([-bound] * 3 + [bound] * 3)
    return {**model, "aabb_train": box, "aabb_infer": box}


@pytest.mark.parametrize("bound", [1.0, 0.75])
@pytest.mark.parametrize("kind", KINDS)
def test_density_and_colour_are_those_of_the_definition(kind: str, bound: float):
    """The network sees the source's coordinates, the others their share of the cube."""
    field = torch_ngp.read(saved(boxed(MODELS[kind], bound)))
    generator, units = torch.Generator().manual_seed(1), bound * 3**0.5
    x = (
        torch.rand(400, 3, generator=generator) * 1.15 - 0.575
    )  # up to the border of the cube, which is ±0.577
    d = torch.nn.functional.normalize(torch.randn(400, 3, generator=generator), dim=-1)
    p, turned = (
        (units * x.roll(-1, 1)).double().numpy(),
        d.roll(-1, 1).double().numpy(),
    )  # (y, z, x) is theirs
    sigma, rgb = pvd_definition.answers(kind, p if kind == "mlp" else p / bound, turned, MODELS[kind])
    assert 0.02 < (sigma == np.exp(-2)).mean() < 0.8  # the lower limit matters, and not everywhere
    expected = torch.tensor(np.log(sigma * units)).float()
    log_density, colour, _ = field.query(x, d)
    assert_close(log_density.detach(), expected, rtol=0, atol=2e-4)
    assert_close(field.log_density(x).detach(), expected, rtol=0, atol=2e-4)
    assert_close(colour.detach(), torch.tensor(rgb).float(), rtol=0, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_it_opens_by_its_content_and_is_the_same_when_saved_as_ours(tmp_path: Path, kind: str):
    (tmp_path / "a.pth").write_bytes(saved(MODELS[kind]))
    field = files.load(tmp_path / "a.pth")
    assert isinstance(field, Pvd) and files.kind_of(field) == "pvd"
    files.save(field, tmp_path / "a.safetensors")
    again = files.load(tmp_path / "a.safetensors")
    camera = look_at(torch.tensor([1.5, 1.0, 0.8]), [0.0, 0.0, 0.0], fov_y_rad=0.8, width=8, height=6)
    with torch.no_grad():
        picture = field.render(camera)
        assert picture.alpha.max() > 0.5
        assert torch.equal(again.render(camera).rgb, picture.rgb)
    assert set(again.state_dict()) == set(field.state_dict())


def test_there_is_nothing_where_no_bit_is_set():
    """In two cascades: ±1, and around it ±2."""
    generator = np.random.default_rng(2)
    full = generator.random((2, 128, 128, 128)) < 0.4  # [cascade, x, y, z]
    x, y, z = np.meshgrid(*[np.arange(128)] * 3, indexing="ij")
    rolled = np.zeros((2, 128**3), dtype=bool)
    rolled[:, morton(x.ravel(), y.ravel(), z.ravel())] = full.reshape(2, -1)
    bits = torch.tensor(np.packbits(rolled.reshape(-1, 8), axis=1, bitorder="little").ravel())
    grid = {"density_grid": torch.ones(2, 128**3), "density_bitfield": bits}
    bare, field = (torch_ngp.read(saved(boxed(MODELS["tensors"], 2.0) | more)) for more in ({}, grid))
    at = torch.rand(2000, 3, generator=torch.Generator().manual_seed(5)) * 1.15 - 0.575
    p = (2 * 3**0.5 * at.roll(-1, 1)).double().numpy()
    outer = (abs(p).max(1) > 1).astype(int)
    drawn = full[outer, *((p / (1 + outer[:, None]) + 1) * 64).astype(int).T]
    expected = torch.where(torch.tensor(drawn), bare.log_density(at), EMPTY)
    assert (
        0 < outer.mean() < 1 and (field.log_density(at) == expected).float().mean() > 0.999
    )  # but for rounding


def test_only_cells_whose_bit_is_set_are_drawn():
    grid, bits = torch.zeros(1, 128**3), torch.zeros(128**3 // 8, dtype=torch.uint8)
    cell = int(morton(*np.array([[70], [30], [100]]))[0])
    grid[0, cell], bits[cell // 8] = 40.0, 1 << (cell % 8)
    field = torch_ngp.read(saved({**MODELS["vm"], "density_grid": grid, "density_bitfield": bits}))
    near = (field.remembered > 0).nonzero()
    assert 1 <= len(near) <= 8 and field.remembered.max() == pytest.approx(40 * 3**0.5)
    x, y, z = (torch.tensor([70, 30, 100]) + 0.5) / 64 - 1
    ours = torch.stack([z, x, y]) / 3**0.5
    assert ((near.flip(1) + 0.5) / 24 - 1 - ours).abs().max() < 1.5 / 24


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("mlp", {"nerf_mlp.2.weight": torch.zeros(20, 30)}, "each layer as wide as the next one expects"),
        ("mlp", {"nerf_mlp.1.bias": torch.zeros(7)}, "and as many biases"),
        ("mlp", {"nerf_mlp.0.weight": torch.zeros(20, 22)}, "6 for each of up to 16 octaves"),
        ("mlp", {"sigma_net.0.weight": torch.zeros(16, 11)}, "to the 11 that sigma_net sees"),
        ("mlp", {"sigma_net.1.weight": torch.zeros(15, 16)}, "sigma_net ends in 15; expected 16"),
        ("mlp", {"nerf_mlp.3.bias": torch.full((10,), torch.inf)}, "not finite"),
        ("vm", {"sigma_mat.1": torch.zeros(1, 2, 6, 5)}, r"expected \(1, R, N, N\)"),
        ("vm", {"color_vec.2": torch.zeros(1, 4, 6, 1)}, "its color_vec"),
        ("vm", {"sigma_mat.0": torch.zeros(3)}, "its sigma_vec"),
        ("vm", {"basis_mat.weight": torch.zeros(15, 8)}, r"basis_mat is \(15, 8\); expected \(15, 9\)"),
        ("vm", {"color_net.0.weight": torch.zeros(16, 30)}, "expected 31 to 3"),
        ("vm", {"color_vec.2": torch.zeros(6, dtype=torch.int32)}, "no color_vec.2 of numbers"),
        ("tensors", {"tensor_volume.0": torch.zeros(1, 27, 4, 4, 4)}, "with harmonics K of 1, 4, 9 or 16"),
        ("tensors", {"tensor_volume.0": torch.zeros(28, 4, 4, 4)}, r"\(28, 4, 4, 4\); expected"),
        ("tensors", {"aabb_infer": torch.zeros(5)}, "5 numbers; expected six"),
        ("tensors", {"aabb_train": torch.tensor([-1.0, -1, -1, 1, 1, 2])}, "no cube around 0"),
    ],
)
def test_other_shapes_are_refused_with_a_sentence(kind: str, changes: dict[str, Any], reason: str):
    with pytest.raises(UserError, match=reason) as caught:
        torch_ngp.read(saved({**MODELS[kind], **changes}))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


SMALL = {kind: saved(model) for kind, model in MODELS.items()}


@pytest.mark.parametrize("kind", KINDS)
@QUICK
@given(*DAMAGE)
def test_a_damaged_checkpoint_is_a_sentence(kind, places, cut, swap):
    survives(torch_ngp.read, damaged(SMALL[kind], places, cut, swap))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_checkpoints_are_sentences(kind, places, cut, swap):
    survives(torch_ngp.read, damaged(SMALL[kind], places, cut, swap))
