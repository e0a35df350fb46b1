"""A ball around what there is to see, wherever that lies, and the primitives in it."""

from __future__ import annotations

import math

import pytest
import torch
import trimesh
from torch import Tensor
from torch.testing import assert_close

from distill3d.camera import turntable
from distill3d.conversions.framing import UNIT, Ball, ball_around, cropped
from distill3d.representations._extra import Extra
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.mesh import Mesh
from distill3d.representations.voxels import Voxels


def gaussians(means: Tensor, *, opacity: float = 3.0, scale: float = 0.05) -> Gaussians:
    count = len(means)
    return Gaussians(
        means,
        torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        torch.full((count, 3), math.log(scale)),
        torch.full((count,), opacity),
        torch.zeros(count, 1, 3),
        extra=Extra({"label": torch.arange(count)}),
    )


def spread(count: int, radius: float, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Tensor:
    out = torch.randn(count, 3, generator=torch.Generator().manual_seed(count))
    return radius * torch.nn.functional.normalize(out, dim=-1) + torch.tensor(centre)


def test_a_scene_of_ours_is_held_whole_and_tightly() -> None:
    points = torch.cat([spread(500, 0.3, (0.2, 0, 0)), torch.tensor([[0.2, 0.0, 0.7]])])
    ball = ball_around(gaussians(points))
    assert ball.holds(points).all()
    assert ball.radius < 0.7
    assert ball_around(gaussians(spread(500, 0.98))) is UNIT


def test_elsewhere_a_backdrop_and_what_has_flown_off_do_not_count() -> None:
    subject = spread(1000, 2.0, (50.0, 20.0, 0.0))
    points = torch.cat([subject, spread(300, 60.0, (50.0, 20.0, 0.0)), spread(5, 3000.0)])
    ball = ball_around(gaussians(points))
    assert ball.holds(subject).all()
    assert ball.radius < 3
    assert_close(ball.centre, torch.tensor([50.0, 20.0, 0.0]), rtol=0.0, atol=0.3)
    assert ball_around(gaussians(3 * points)).radius == pytest.approx(3 * ball.radius, rel=1e-4)


def test_haze_does_not_count() -> None:
    shown = ball_around(gaussians(spread(100, 0.2)))
    hazy = gaussians(torch.cat([spread(100, 0.2), spread(1000, 0.9)]))
    with torch.no_grad():
        hazy.opacity_logits[100:] = -4.0
    assert ball_around(hazy).radius == pytest.approx(shown.radius)


def test_a_mesh_and_the_cells_of_a_field_are_held_whole() -> None:
    shape = trimesh.creation.box((4.0, 1.0, 1.0)).apply_translation([9.0, 0, 0])
    mesh = Mesh(torch.tensor(shape.vertices).float(), torch.tensor(shape.faces), torch.zeros(8, 3))
    ball = ball_around(mesh)
    assert_close(ball.centre, torch.tensor([9.0, 0, 0]))
    assert ball.radius == pytest.approx(math.sqrt(4 + 0.5))
    density = torch.full((32, 32, 32), -20.0)
    density[20:26, 14:18, 14:18] = 5.0  # z, y, x
    field = Voxels(density, torch.zeros(32, 32, 32, 3), torch.zeros(32, 32, 32, 0), samples=64)
    assert ball_around(field) is UNIT, "nobody has looked into its cells yet"
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        field.look(generator)
    ball = ball_around(field)
    assert ball.holds(torch.tensor([[0.0, 0, 0.3], [0.1, 0.1, 0.55]])).all()
    assert ball.radius < 0.6 and ball.centre[2] > 0.3


def test_cameras_around_a_ball_see_what_those_around_the_origin_do() -> None:
    points = spread(60, 0.4)
    centre = (3.0, -2.0, 5.0)
    cameras = turntable(2, width=24, height=24)
    there = Ball(torch.tensor(centre), 1.0).seen_from(cameras)
    with torch.no_grad():
        one = gaussians(points).render(cameras)
        other = gaussians(points + torch.tensor(centre)).render(there)
    assert_close(other.rgb, one.rgb, rtol=0.0, atol=1e-4)
    assert one.alpha.max() > 0.5


def test_what_is_cropped_keeps_its_rows_together() -> None:
    points = torch.tensor([[0.0, 0, 0], [5.0, 0, 0], [0.5, 0, 0], [0.0, 0.1, 0]])
    scene = gaussians(points)
    with torch.no_grad():
        scene.log_scales[3] = math.log(4.0)
    kept = cropped(scene, UNIT)
    assert_close(kept.means.detach(), points[[0, 2]])
    assert torch.equal(kept.state_dict()["extra.label"], torch.tensor([0, 2]))
    with pytest.raises(ValueError, match=r"nothing of the scene lies within 1 of \[9\.0"):
        cropped(scene, Ball(torch.tensor([9.0, 9.0, 9.0]), 1.0))


@pytest.mark.parametrize("scene", [gaussians(torch.zeros(0, 3)), gaussians(torch.full((3, 3), torch.nan))])
def test_nothing_to_be_seen_is_a_sentence(scene: Gaussians) -> None:
    with pytest.raises(ValueError, match=r"nothing in it to be seen; render it first"):
        ball_around(scene)
