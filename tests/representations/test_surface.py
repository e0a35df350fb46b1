"""The penalties on surfaces: none for one that agrees with itself, and a slope towards it else."""

import math

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

from distill3d.camera import look_at, orbit
from distill3d.moment import Moment
from distill3d.rendering import Rendering
from distill3d.representations._surface import depth_normals, normal_consistency
from distill3d.representations.surfels import Surfels
from distill3d.scene import Seen

CAMERAS = orbit(torch.tensor([0.3, 2.0]), 0.4, width=24, height=20)


def sphere(radius: float = 2.0) -> tuple[Rendering, torch.Tensor]:
    """A ball that fills the pictures, and the outward normals of what is seen."""
    origins, directions = CAMERAS.rays()
    a, b = directions.square().sum(-1), (origins * directions).sum(-1)
    z = ((-b - (b.square() - a * (origins.square().sum(-1) - radius**2)).sqrt()) / a)[..., None]
    outwards = normalize(origins + z * directions, dim=-1)
    return Rendering(torch.zeros_like(outwards), torch.ones_like(z), z, outwards), outwards


def test_the_depth_of_a_ball_has_the_normals_of_a_ball():
    rendering, outwards = sphere()
    found = depth_normals(CAMERAS, rendering)
    assert_close(found[:, 1:-1, 1:-1], outwards[:, 1:-1, 1:-1], rtol=0, atol=5e-3)
    assert found[:, 0].abs().max() == 0


def test_normals_that_agree_with_the_depth_cost_nothing_and_others_what_the_angle_says():
    rendering, outwards = sphere()
    assert normal_consistency(CAMERAS, rendering).abs() < 1e-4
    across = normalize(torch.linalg.cross(outwards, torch.tensor([0.0, 0, 1]).expand_as(outwards)), dim=-1)
    turned = math.cos(0.5) * outwards + math.sin(0.5) * across
    tilted = Rendering(rendering.rgb, rendering.alpha, rendering.depth, turned)
    inner = 22 * 18 / (24 * 20)
    assert normal_consistency(CAMERAS, tilted).item() == pytest.approx((1 - math.cos(0.5)) * inner, rel=0.01)


def test_where_nothing_is_there_is_neither_a_penalty_nor_a_slope_that_is_not_a_number():
    empty = torch.zeros(2, 20, 24, 1, requires_grad=True)
    rendering = Rendering(torch.zeros(2, 20, 24, 3), empty, empty * 1, empty.expand(-1, -1, -1, 3))
    loss = normal_consistency(CAMERAS, rendering)
    loss.backward()
    assert loss == 0 and torch.isfinite(empty.grad).all()


def test_a_crumpled_sheet_becomes_flat():
    """Discs in one plane that are turned at random turn into it, by the penalty on normals alone."""
    generator = torch.Generator().manual_seed(0)
    line = torch.linspace(-0.6, 0.6, 13)
    means = torch.cartesian_prod(line, line, torch.zeros(1))
    wxyz = torch.cat([torch.ones(169, 1), 0.25 * torch.randn(169, 3, generator=generator)], 1)
    scene = Surfels(means, wxyz, torch.full((169, 2), -2.5), torch.full((169,), 3.0), torch.zeros(169, 1, 3))
    camera = look_at(torch.tensor([[0.3, 0.2, 3.0]]), fov_y_rad=0.3, width=32, height=32)
    optimizer = torch.optim.Adam([scene.wxyz], lr=0.02)
    losses = []
    for _ in range(60):
        rendering = scene.render(camera, want=("rgb", "alpha", "depth", "normal"))
        loss = normal_consistency(camera, rendering)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_the_penalties_begin_in_turn_and_only_for_photographs():
    seen = Seen(CAMERAS)
    scene = Surfels.from_photographs(seen, count=50, opacity=0.9)
    wanted = [set(scene.want(Moment(n, 31, torch.Generator()))) for n in (1, 5, 31)]
    assert wanted[0] == {"rgb", "alpha"}
    assert wanted[1] == {"rgb", "alpha", "distortion"}
    assert wanted[2] == {"rgb", "alpha", "distortion", "depth", "normal"}
    end = Moment(31, 31, torch.Generator())
    penalty = scene.penalty(CAMERAS, scene.render(CAMERAS, want=wanted[2]), end)
    assert penalty is not None and penalty > 0
    assert set(Surfels.start(count=50).want(end)) == {"rgb", "alpha"}
    without = Surfels.from_photographs(seen, count=50, normal_weight=0.0, distortion_weight=0.0)
    assert without.penalty(CAMERAS, without.render(CAMERAS), end) is None


def test_layers_that_lie_apart_are_drawn_together_by_the_penalty_on_distortion():
    means = torch.tensor([[0.0, 0, 0.2], [0.0, 0, -0.2]])
    scene = Surfels(
        means,
        torch.tensor([[1.0, 0, 0, 0]]).repeat(2, 1),
        torch.zeros(2, 2),
        torch.zeros(2),
        torch.zeros(2, 1, 3),
    )
    camera = look_at(torch.tensor([[0.0, 0, 3.0]]), fov_y_rad=0.3, width=16, height=16)
    scene.render(camera, want=("rgb", "alpha", "distortion")).distortion.mean().backward()
    assert scene.means.grad[0, 2] > 0 > scene.means.grad[1, 2]
