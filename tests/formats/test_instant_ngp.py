"""Snapshots of instant-ngp: they open as what they mean, in the place where they were photographed."""

from __future__ import annotations

import gzip
import zlib
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
from distill3d.formats import _cascades, _deflate, instant_ngp
from distill3d.representations.instant_ngp import InstantNgp
from tests.formats import ngp_definition as ngp
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives
from tests.formats.packing import pack

VALUES = ngp.parameters()
FULL = np.zeros(128**3, np.float16)
FULL[ngp.morton(*np.mgrid[25:116, 12:104, 38:91].reshape(3, -1))] = 1
"""Wherever something is drawn."""


def posed(eye: tuple[float, float, float]) -> np.ndarray:
    """An OpenGL camera in the photographs' world, z up, looking at the origin."""
    camera = look_at(torch.tensor(eye), fov_y_rad=0.7, width=12, height=10)
    to_world = torch.linalg.inv(camera.world_to_camera).double().numpy()
    return to_world @ np.diag([1.0, -1, -1, 1])


POSES = [posed((4.0, 0.5, 1.0)), posed((-1.0, 3.0, 2.0))]
CAMERAS = [ngp.camera_in_ngp(pose) for pose in POSES]


def content(**changes: Any) -> dict[str, Any]:
    return ngp.snapshot(VALUES, CAMERAS, FULL, **changes)


def to_source(field: InstantNgp, x: torch.Tensor) -> np.ndarray:
    return (x @ field.to_source[:, :3].T + field.to_source[:, 3]).double().numpy()


WRITERS = {
    "half": lambda c: pack(c),
    "single": lambda c: pack(
        {**c, "snapshot": {**c["snapshot"], "params_binary": VALUES.astype("<f4").tobytes()}}
    ),
    "zlib": lambda c: zlib.compress(pack(c)),
    "gzip": lambda c: gzip.compress(pack(c)),
}


@pytest.mark.parametrize("form", WRITERS)
def test_density_and_colour_are_those_of_the_definition(form: str):
    field = instant_ngp.read(WRITERS[form](content()))
    generator = torch.Generator().manual_seed(0)
    x = 0.5 * torch.rand(400, 3, generator=generator) - 0.25
    d = torch.nn.functional.normalize(torch.randn(400, 3, generator=generator), dim=-1)
    units = float(field.to_source[0, :3].norm())
    turned = (d @ (field.to_source[:, :3] / units).T).double().numpy()
    sigma, rgb = ngp.field(to_source(field, x), turned, VALUES)
    log_density, colour, features = field.query(x, d)
    assert features.shape == (400, 15)
    assert_close(log_density.exp().detach(), torch.tensor(sigma * units).float(), rtol=2e-4, atol=1e-5)
    assert_close(colour.detach(), torch.tensor(rgb).float(), rtol=0, atol=2e-4)


def test_a_camera_of_the_snapshot_sees_what_the_definition_shows():
    data = pack(content())
    cameras, field = instant_ngp.cameras(data), instant_ngp.read(data)
    shown = field.render(cameras)
    box = np.array([[0.2, 0.1, 0.3], [0.9, 0.8, 0.7]])
    for i, xform in enumerate(CAMERAS):
        rgb, alpha = ngp.picture(xform, 14.0, (12, 10), box, VALUES)
        assert alpha.max() > 0.3 and alpha.min() == 0 and rgb.std() > 0.02
        away = shown.alpha[i, ..., 0].detach() - torch.tensor(alpha).float()
        assert away.abs().max() < 0.02 and away.abs().mean() < 2e-3
        assert (shown.rgb[i].detach() - torch.tensor(rgb).float()).abs().mean() < 2e-3


def test_it_opens_upright_in_the_unit_ball_and_remembers_the_photographs_world():
    field = instant_ngp.read(pack(content()))
    corners = torch.cartesian_prod(*field.drawn.T).double()
    to_ours = torch.linalg.inv(torch.cat([field.to_source, torch.tensor([[0.0, 0, 0, 1]])]).double())
    at = corners @ to_ours[:3, :3].T + to_ours[:3, 3]
    assert_close(at.norm(dim=1), torch.ones(8).double(), rtol=0, atol=1e-6)
    transform = field.scene_transform
    scale = float(torch.linalg.det(transform[:3, :3]) ** (1 / 3))
    assert_close(transform[:3, :3] / scale, torch.eye(3).double(), rtol=0, atol=1e-6)  # z up stays z up
    eyes = instant_ngp.cameras(pack(content())).centres.double()
    world = torch.tensor(np.stack([pose[:3, 3] for pose in POSES]))
    assert_close(eyes, world @ transform[:3, :3].T + transform[:3, 3], rtol=0, atol=1e-5)


def test_another_up_direction_becomes_ours():
    up = np.array([0.3, 0.8, -0.2])
    field = instant_ngp.read(pack(content(up_dir=up.tolist())))
    ours = torch.linalg.inv(field.to_source[:, :3]) @ torch.tensor(up).float()
    assert_close(ours / ours.norm(), torch.tensor([0.0, 0, 1]), rtol=0, atol=1e-5)


def test_it_comes_back_from_our_own_format(tmp_path: Path):
    (tmp_path / "a.ingp").write_bytes(zlib.compress(pack(content())))
    field = files.load(tmp_path / "a.ingp")
    files.save(field, tmp_path / "a.safetensors")
    again = files.load(tmp_path / "a.safetensors")
    cameras = files.load_cameras(tmp_path / "a.ingp")
    assert isinstance(again, InstantNgp)
    assert torch.equal(again.render(cameras).rgb, field.render(cameras).rgb)


def test_a_configuration_that_names_no_growth_reaches_2048_cells_a_unit():
    """The default of base.json: 8 levels from 16 grow by 2 at aabb_scale 1."""
    from distill3d.formats._ngp_network import _layout

    base = {"otype": "HashGrid", "n_levels": 8, "n_features_per_level": 4, "log2_hashmap_size": 19}
    assert _layout({**base, "base_resolution": 16}, 1.0).growth == pytest.approx(2.0)
    assert _layout({**base, "base_resolution": 16}, 4.0).growth == pytest.approx(512 ** (1 / 7))
    rows, features = _layout({**base, "base_resolution": 16}, 1.0).table_shape
    assert rows * features + 32 * 64 + 64 * 16 + 32 * 64 + 64 * 64 + 64 * 16 == pytest.approx(
        11.69e6, rel=0.01
    )


# Occupancy


def test_morton_indices_are_undone():
    x, y, z = np.random.default_rng(0).integers(0, 128, (3, 1000))
    found = _cascades.unmorton(torch.tensor(ngp.morton(x, y, z)))
    assert np.array_equal(found.numpy(), np.stack([x, y, z], 1))


@pytest.mark.parametrize("cascade", [0, 1])
def test_only_what_is_near_an_occupied_cell_is_looked_at(cascade: int):
    """One cell of one cascade; with two, the scene is the cube of side 2 around ½."""
    side, cell = 2.0**cascade, np.array([20, 90, 64])
    grid = np.full(128**3 * 2, -1.0, np.float32)
    grid[cascade * 128**3 + ngp.morton(*cell)] = 0.5
    box = {"min": [-0.5] * 3, "max": [1.5] * 3}
    changes = {"aabb": box, "render_aabb": box}
    field = instant_ngp.read(pack(ngp.snapshot(VALUES, CAMERAS, grid, **changes)))
    x, y, z = torch.tensor(0.5 - side / 2 + (cell + 0.5) * side / 128).float()
    inverse = torch.linalg.inv(torch.cat([field.to_source, torch.tensor([[0.0, 0, 0, 1]])]))
    at = inverse[:3, :3] @ torch.stack([x, y, z]) + inverse[:3, 3]
    count = field.remembered.shape[0]
    place = ((at + 1) * count / 2).floor().long()
    expected = 0.5 / (3**0.5 / 1024) * float(field.source_units())
    assert float(field.remembered[tuple(place.flip(0))]) == pytest.approx(expected, rel=1e-3)
    near = (field.remembered > 0).nonzero().flip(1) - place
    assert 1 <= len(near) <= 8 and near.abs().max() <= 1


def test_a_cell_of_a_coarse_cascade_within_a_finer_one_says_nothing():
    grid = np.full(128**3 * 2, -1.0, np.float32)
    grid[128**3 + ngp.morton(*np.array([64, 64, 64]))] = 0.5
    field = instant_ngp.read(pack(ngp.snapshot(VALUES, CAMERAS, grid)))
    assert (field.remembered == 0).all() and not field.occupied.any()


# What is refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n_params": 7}, "bytes for 7 parameters"),
        ({"n_params": 2 * len(VALUES), "params_binary": bytes(4 * len(VALUES))}, "and its network"),
        ({"params_binary": None}, "no params_binary"),
        ({"density_grid_binary": bytes(100)}, "50 cells"),
        ({"mode": "sdf"}, r'of "sdf"'),
        ({"render_aabb_to_local": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]}, "turned box"),
        ({"render_aabb": {"min": [2.0] * 3, "max": [3.0] * 3}}, "cropped to nothing"),
        ({"aabb": {"min": [0.0] * 2, "max": [1.0] * 3}}, "min is not 3 numbers"),
        ({"up_dir": [0.0, 0.0, 0.0]}, "no direction"),
        ({"nerf": {"dataset": {"n_extra_learnable_dims": 3}}}, "extra dimensions"),
    ],
)
def test_what_the_field_cannot_be_is_refused(changes: dict[str, Any], reason: str):
    with pytest.raises(UserError, match=reason):
        instant_ngp.read(pack(content(**changes)))


@pytest.mark.parametrize(
    ("part", "changes", "reason"),
    [
        ("encoding", {"otype": "Frequency"}, "hash grid"),
        ("encoding", {"n_levels": 99}, "expected 1 to 32"),
        ("encoding", {"log2_hashmap_size": 2**40}, "whole number"),
        ("dir_encoding", {"nested": [{"otype": "SphericalHarmonics", "degree": 3}]}, "of degree 4"),
        ("network", {"activation": "Sine"}, "with ReLU"),
        ("rgb_network", {"n_neurons": 4096}, "at most 128"),
    ],
)
def test_other_networks_are_refused(part: str, changes: dict[str, Any], reason: str):
    whole = content()
    whole[part] = {**whole[part], **changes}
    with pytest.raises(UserError, match=reason):
        instant_ngp.read(pack(whole))


def test_a_stream_that_unpacks_without_end_is_stopped():
    bomb = zlib.compress(bytes(150_000_000), 9)
    assert survives(instant_ngp.read, bomb, times=64, always=3 * _deflate.ALWAYS) is None
    with pytest.raises(UserError, match="expected less"):
        _deflate.unpacked(bomb)


def test_what_unpacks_comes_back_and_what_is_cut_short_says_so():
    data = np.random.default_rng(0).bytes(5000)
    for packed in (zlib.compress(data), gzip.compress(data)):
        assert _deflate.packed(packed) and _deflate.unpacked(packed) == data
        with pytest.raises(UserError, match=r"cut short|damaged"):
            _deflate.unpacked(packed[:-100])


# Damage


SMALL = pack(ngp.snapshot(VALUES, CAMERAS, np.zeros(0)))
"""Without its density grid, which is refused last of all; most bytes are parameters in any snapshot."""


@QUICK
@given(*DAMAGE)
def test_a_damaged_snapshot_is_a_sentence(places, cut, swap):
    survives(instant_ngp.read, damaged(SMALL, places, cut, swap))
    survives(instant_ngp.cameras, damaged(SMALL, places, cut, swap))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_snapshots_are_sentences(places, cut, swap):
    for data in (SMALL, zlib.compress(SMALL)):
        survives(instant_ngp.read, damaged(data, places, cut, swap))
        survives(instant_ngp.cameras, damaged(data, places, cut, swap))
