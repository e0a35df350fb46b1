"""Scenes that lie anywhere are moved into the unit ball, and what is made of them back again."""

from __future__ import annotations

import pytest
import torch
import trimesh
from torch.testing import assert_close

from distill3d.conversions.centred import FILLED, centred, left_out, put_back
from distill3d.conversions.moved import moved
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.representations.surfels import Surfels
from distill3d.representations.voxels import Voxels
from distill3d.scene import Scene
from tests.conversions.test_framing import gaussians, spread
from tests.conversions.test_moved import scene, similarity


def far(kind: type, seed: int = 3) -> Gaussians | Surfels:
    """Primitives somewhere else, a hundred times as large, which remember where they came from."""
    here = scene(kind)
    here.opacity_logits.data.clamp_min_(0)
    placed = similarity(seed, 100.0)
    placed[:3, 3] *= 1000
    return moved(here, placed)


def box() -> Mesh:
    shape = trimesh.creation.box((30.0, 20.0, 10.0))
    shape.apply_translation((500.0, -30.0, 4.0))
    return Mesh.from_trimesh(shape)


@pytest.mark.parametrize("make", [lambda: far(Gaussians), lambda: far(Surfels), box])
def test_there_and_back_is_the_scene_itself(make) -> None:
    source = make()
    middle = centred(source)
    back = put_back(middle, source, middle)
    assert type(back) is type(source) and middle is not source
    for name, value in source.state_dict().items():
        reach = float(value.abs().max()) if value.is_floating_point() else 0.0
        allowed = 0.02 if name == "colour_logits" else 1e-5 * max(reach, 1)  # colours are bytes on the way
        assert_close(back.state_dict()[name], value, rtol=1e-4, atol=allowed)


@pytest.mark.parametrize("make", [lambda: gaussians(spread(200, 30.0, (70.0, 5.0, 1.0))), box])
def test_the_middle_fills_the_unit_ball_and_knows_the_way(make) -> None:
    source = make()
    middle = centred(source)
    points, before = (
        each.means.detach() if isinstance(each, Gaussians) else each.vertices().detach()
        for each in (middle, source)
    )
    assert 0.7 * FILLED < points.norm(dim=1).max() <= FILLED + 1e-4
    way = middle.scene_transform @ torch.linalg.inv(source.scene_transform)
    assert_close(points.double(), before.double() @ way[:3, :3].T + way[:3, 3], rtol=0, atol=1e-4)


def test_what_lies_in_the_unit_ball_stays_there() -> None:
    for source in (gaussians(spread(50, 0.6)), Mesh.from_trimesh(trimesh.creation.icosphere(1, 0.9))):
        assert centred(source) is source
        assert put_back(source, source, source) is source


def test_a_field_stays_and_its_transform_leads_on() -> None:
    source = far(Gaussians)
    middle = centred(source)
    made = Voxels.start(resolution=4)
    made.scene_transform.copy_(middle.scene_transform)
    assert put_back(made, source, middle) is made
    assert_close(made.scene_transform, middle.scene_transform)


def test_what_has_flown_off_is_counted_and_left_out() -> None:
    source = gaussians(torch.cat([spread(300, 2.0, (40.0, 0.0, 0.0)), spread(5, 5000.0)]))
    assert left_out(source) == 5
    middle = centred(source)
    assert isinstance(middle, Gaussians) and len(middle.means) == 300
    assert left_out(gaussians(spread(50, 0.5))) == 0 and left_out(box()) == 0


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (lambda: Voxels.from_state(_with(Voxels.start(resolution=4), raw_density=-40.0)), "field is empty"),
        (lambda: gaussians(spread(30, 0.5), opacity=-9.0), "nothing in it to be seen"),
        (lambda: gaussians(torch.full((30, 3), float("nan"))), "nothing in it to be seen"),
    ],
)
def test_what_shows_nothing_is_refused(source, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        centred(source())


def _with(scene: Scene, **values: float) -> dict[str, torch.Tensor]:
    state = scene.state_dict()
    return {**state, **{name: torch.full_like(state[name], value) for name, value in values.items()}}
