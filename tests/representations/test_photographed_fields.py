"""Fields that are fitted to photographs: what they begin with, become, and can be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from distill3d.camera import orbit
from distill3d.data.photographs import Photographs
from distill3d.distill import distill
from distill3d.field import Field
from distill3d.ops import grids
from distill3d.representations import _upsampling
from distill3d.scene import Scene, Seen
from distill3d.teachers.images import Images
from tests.representations.small import kind_of
from tests.teachers.test_images import photographs

SMALL: dict[str, dict[str, Any]] = {
    "hash_grid": {"levels": 3, "log2_entries": 8, "finest": 16, "width": 16, "samples": 24},
    "mlp": {"frequencies": 2, "width": 16, "layers": 3, "again": True, "samples": 24},
    "triplane": {"resolution": 12, "channels": 4, "width": 8, "samples": 24},
    "vm": {"resolution": 12, "density_rank": 3, "colour_rank": 2, "samples": 24},
    "voxels": {"resolution": 12, "samples": 24},
}
ENOUGH: dict[str, dict[str, Any]] = {
    "hash_grid": {"levels": 5, "log2_entries": 13, "finest": 40, "width": 16},
    "mlp": {"frequencies": 4, "width": 48, "layers": 2},
    "triplane": {"resolution": 32, "channels": 8, "width": 16},
    "vm": {"resolution": 24, "density_rank": 4, "colour_rank": 6},
    "voxels": {"resolution": 24},
}
CAMERAS = orbit(torch.tensor([0.2, 2.5, 4.0]), 0.3, width=20, height=16)
PUBLISHED = {
    "hash_grid": {
        "levels": 14,
        "log2_entries": 19,
        "coarsest": 16,
        "finest": 2048,
        "width": 64,
        "colour_layers": 2,
    },
    "vm": {"resolution": 300, "density_rank": 16, "colour_rank": 48, "width": 64, "colour_layers": 2},
    "voxels": {"resolution": 128, "degree": 2, "coarser": 1},
    "mlp": {
        "frequencies": 10,
        "width": 256,
        "layers": 7,
        "again": True,
        "colour_width": 64,
        "colour_layers": 2,
    },
}
"""The sizes of Fang et al. 2023, One is All (arXiv 2211.15977)."""


def start(name: str, **flags: Any) -> Field:
    scene = kind_of(name).from_photographs(Seen(CAMERAS), seed=1, **(flags or SMALL[name]))
    assert isinstance(scene, Field)
    return scene


def fit(scene: Scene, steps: int = 12, state: Any = None, until: int = 12) -> dict[str, Any]:
    teacher = Images(photographs(), stride=2)
    for step in distill(scene, teacher, steps=steps, rig=teacher, views=2, size=20, seed=3, state=state):
        if step.number == until:
            return step.state()
    raise AssertionError("the run ended early")


@pytest.mark.parametrize("name", SMALL)
def test_colours_follow_the_direction_of_sight_and_density_does_not(name):
    scene = start(name)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in scene.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    x = torch.rand(50, 3, generator=generator) - 0.5
    d = torch.nn.functional.normalize(torch.randn(50, 3, generator=generator), dim=1)
    here, there = scene.query(x, d), scene.query(x, -d)
    assert scene.directional and torch.equal(here[0], there[0])
    assert (here[1] - there[1]).abs().max() > 1e-3
    assert_close(scene.log_density(x), here[0])


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("stopped", [1, 2, 7])
def test_a_fit_goes_on_to_the_same_bits(name, stopped):
    whole = fit(start(name))
    part = fit(start(name), until=stopped)
    again = kind_of(name).from_state(part["student"])
    resumed = fit(again, state=part)
    for key, value in whole["student"].items():
        assert torch.equal(resumed["student"][key], value), key


@pytest.mark.parametrize("name", ["triplane", "vm", "voxels"])
def test_the_grid_becomes_as_fine_as_was_asked_for(name):
    scene = start(name)
    sizes = {p.shape for p in scene.parameters()}
    fit(scene)
    finest = start(name)
    for _ in range(2):
        finest.grow(3, 10, torch.optim.Adam(finest.parameters()), torch.Generator())
    assert {p.shape for p in scene.parameters()} == {p.shape for p in finest.parameters()} != sizes
    assert max(max(shape) for shape in (p.shape for p in scene.parameters())) >= 12


def test_finer_tables_are_the_same_functions():
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(200, 3, generator=generator) - 1
    table = torch.randn(5, 5, 5, 4, generator=generator)
    assert_close(grids.voxels(_upsampling.volume(table, 9), x), grids.voxels(table, x), atol=1e-5, rtol=1e-5)
    planes, lines = torch.randn(3, 5, 5, 2, generator=generator), torch.randn(3, 5, 2, generator=generator)
    finer = _upsampling.planes(planes, 9), _upsampling.lines(lines, 9)
    assert_close(grids.vm(*finer, x), grids.vm(planes, lines, x), atol=1e-5, rtol=1e-5)


def test_what_is_replaced_is_what_the_optimizer_moves():
    scene = start("voxels")
    optimizer = torch.optim.Adam(scene.param_groups())
    scene.grow(1, 10, optimizer, torch.Generator())
    optimized = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert optimized == {id(p) for p in scene.parameters()}


@pytest.mark.parametrize(("name", "millions"), [("hash_grid", 10.6), ("vm", 17.4), ("mlp", 0.44)])
def test_published_sizes_are_possible(name, millions):
    scene = start(name, **PUBLISHED[name])
    for step in (1, 3):
        scene.grow(step, 10, torch.optim.SGD(scene.parameters(), lr=0.1), torch.Generator().manual_seed(0))
    assert sum(p.numel() for p in scene.parameters()) / 1e6 == pytest.approx(millions, rel=0.02)


def test_the_published_size_of_voxels_is_possible():
    """Without making its 58.7 million numbers: those of a quarter of the resolution, to scale."""
    scene = start("voxels", **PUBLISHED["voxels"])
    assert sum(p.numel() for p in scene.parameters()) * 4**3 / 1e6 == pytest.approx(58.7, rel=0.02)
    assert scene.get_buffer("finest") == 128


@pytest.mark.parametrize(
    ("name", "flags", "sentence"),
    [
        ("vm", {"resolution": 1}, "resolution 1; expected 2 or more"),
        ("vm", {"width": 0}, "width 0 and colour_layers 1; expected"),
        ("triplane", {"channels": 0}, "channels 0"),
        ("voxels", {"degree": 4}, "degree 4"),
        ("voxels", {"coarser": 0}, "coarser 0; expected"),
        ("mlp", {"layers": 1, "again": True}, "layers 1; expected"),
        ("mlp", {"colour_width": 0}, "colour_width 0"),
        ("hash_grid", {"colour_layers": -1}, "colour_layers -1"),
    ],
)
def test_impossible_fits_are_refused_with_a_sentence(name, flags, sentence):
    with pytest.raises(ValueError, match=sentence):
        start(name, **flags)


def pictures_of_a_known_ball() -> Photographs:
    """A ball of radius 0.6 whose colour is the place on it, drawn in closed form."""
    cameras = orbit(torch.arange(16) * 2.4, torch.linspace(-0.4, 1.3, 16), width=32, height=32)
    origins, directions = cameras.rays()
    directions = torch.nn.functional.normalize(directions, dim=-1)
    along = -(origins * directions).sum(-1, keepdim=True)
    closest = origins + along * directions
    depth = along - (0.36 - closest.square().sum(-1, keepdim=True)).clamp_min(0).sqrt()
    hit = (closest.norm(dim=-1, keepdim=True) < 0.6).float()
    rgba = torch.cat([(0.5 + 0.8 * (origins + depth * directions)).clamp(0, 1) * hit, hit], -1)
    believed = torch.full((16, 32, 32, 1), 255, dtype=torch.uint8)
    return Photographs(cameras, (rgba * 255).round().to(torch.uint8), believed)


KINDS_AND_STEPS = [
    ("voxels", 150),
    *[pytest.param(name, 500, marks=pytest.mark.slow) for name in ("hash_grid", "mlp", "triplane", "vm")],
]


@pytest.mark.parametrize(("name", "steps"), KINDS_AND_STEPS)
def test_a_known_ball_is_recovered(name, steps):
    taken = pictures_of_a_known_ball()
    scene, teacher = start(name, **ENOUGH[name], samples=64), Images(taken, stride=2)
    for _ in distill(scene, teacher, steps=steps, rig=teacher, views=4, size=32):
        pass
    with torch.no_grad():
        seen = scene.render(taken.cameras)
    inside = taken.rgba[..., 3:].float() / 255
    wrong = (seen.rgb - taken.rgba[..., :3].float() / 255).square().mean()
    assert -10 * wrong.log10() > 22
    assert (seen.alpha - inside).abs().mean() < 0.05
