"""Voxels: the quadrature of the whole way, and files of before there were fields."""

import torch
from torch.testing import assert_close

from distill3d import sh
from distill3d.camera import orbit, turntable
from distill3d.field import through_ball
from distill3d.moment import Moment
from distill3d.representations.voxels import Voxels, total_variation

CAMERAS = orbit(torch.tensor([0.3, 2.1]), 0.2, width=9, height=9)


def rough(resolution: int = 7) -> Voxels:
    scene = Voxels.start(resolution=resolution, samples=256)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        scene.raw_density += torch.randn(scene.raw_density.shape, generator=generator)
        scene.base += torch.randn(scene.base.shape, generator=generator) / sh.DEGREE_0
    return scene


def test_pictures_are_sums_along_the_whole_way_through_the_ball():
    scene = rough()
    origins, directions = (rays.reshape(-1, 3) for rays in CAMERAS.rays())
    near, far = through_ball(origins, directions)
    step = (far - near)[:, None] / 2000
    z = near[:, None] + step * (torch.arange(2000) + 0.5)
    points = origins[:, None] + z[..., None] * directions[:, None]
    logits = sh.DEGREE_0 * scene.base.movedim(-1, 0)
    table = torch.cat([scene.raw_density[None], logits])[None]
    found = torch.nn.functional.grid_sample(table, points[None, None], align_corners=True)[0, :, 0]
    optical = 25 * torch.nn.functional.softplus(found[0]) * step * directions.norm(dim=-1, keepdim=True)
    weights = torch.exp(optical - optical.cumsum(1)) * (1 - torch.exp(-optical))
    picture = scene.render(CAMERAS, want=("rgb", "alpha", "depth"))
    rgb = torch.einsum("rs,crs->rc", weights, found[1:].sigmoid())
    assert_close(picture.rgb.reshape(-1, 3), rgb, rtol=0, atol=0.01)
    assert_close(picture.alpha.flatten(), weights.sum(1), rtol=0, atol=0.01)
    assert_close(picture.depth.flatten(), (weights * z).sum(1), rtol=0, atol=0.02)


def test_a_state_that_remembers_no_densities_is_the_same_scene():
    scene = rough()
    state = {name: value for name, value in scene.state_dict().items() if name != "remembered"}
    again = Voxels.from_state(state)
    assert torch.equal(again.render(CAMERAS).rgb, scene.render(CAMERAS).rgb)


def test_a_state_with_colours_of_no_direction_is_the_same_scene():
    scene = rough()
    state = scene.state_dict()
    logits = sh.DEGREE_0 * state.pop("base").movedim(-1, 0)
    again = Voxels.from_state({**state, "colour_logits": logits})
    assert_close(again.render(CAMERAS).rgb, scene.render(CAMERAS).rgb)


def test_colours_are_the_sigmoid_of_harmonics():
    scene = Voxels.start(resolution=5, degree=2)
    coefficients = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    assert scene.higher is not None
    with torch.no_grad():
        scene.base.copy_(coefficients[0].expand(scene.base.shape))
        scene.higher.copy_(coefficients[1:].flatten().expand(scene.higher.shape))
    d = torch.nn.functional.normalize(torch.tensor([[1.0, -2, 3], [0, 0.2, -1]]), dim=1)
    rgb = scene.query(torch.zeros(2, 3), d)[1]
    assert_close(rgb, (sh.basis(d, 2) @ coefficients).sigmoid())


def test_what_is_learned_survives_the_occupancy_grid():
    scene = rough()
    with torch.no_grad():
        scene.raw_density[:, :, :4] -= 20  # nothing at x < 0
    before = scene.render(CAMERAS).rgb
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        scene.look(generator)
    assert scene.occupied.float().mean() < 0.4
    assert_close(scene.render(CAMERAS).rgb, before, rtol=0, atol=0.05)


def test_the_total_variation_of_a_ramp_is_its_slope() -> None:
    z, y, x = torch.meshgrid(*[torch.arange(6.0)] * 3, indexing="ij")
    ramp = torch.stack([3 * x + 2 * y - 6 * z, 4 * y, torch.zeros_like(x)], -1)
    for channels, slope in [(ramp[..., :1], 7.0), (ramp[..., 1:2], 4.0), (ramp, 11 / 3)]:
        assert_close(total_variation(channels), torch.tensor(slope), rtol=0, atol=3e-3)
    assert_close(total_variation(torch.full((4, 5, 6, 2), 3.0)), torch.tensor(0.0))


def test_a_fit_draws_neighbours_to_each_other_and_a_distillation_does_not() -> None:
    """All slabs together reach every corner but the last of each axis, where differences end."""
    moments = [Moment(1, 10, torch.Generator().manual_seed(seed)) for seed in range(60)]
    scene = Voxels.start(resolution=16, samples=8)
    cameras = turntable(1, width=4, height=4)
    rendering = scene.render(cameras)
    assert scene.penalty(cameras, rendering, moments[0]) is None
    scene.photographed.fill_(True)
    before = float(total_variation(scene.base.detach()))
    for moment in moments:
        penalty = scene.penalty(cameras, rendering, moment)
        assert penalty is not None and penalty > 0
        penalty.backward()
    assert scene.base.grad is not None and scene.raw_density.grad is not None
    assert (scene.base.grad[:-1, :-1, :-1] != 0).all() and (scene.raw_density.grad[:-1, :-1, :-1] != 0).all()
    with torch.no_grad():
        scene.base -= 0.1 * scene.base.grad / scene.base.grad.abs().amax()
    assert float(total_variation(scene.base.detach())) < 0.95 * before
