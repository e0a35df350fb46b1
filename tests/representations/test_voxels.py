"""Voxels: the quadrature of the whole way, and files of before there were fields."""

import torch
from torch.testing import assert_close

from distill3d.camera import orbit
from distill3d.field import through_ball
from distill3d.representations.voxels import Voxels

CAMERAS = orbit(torch.tensor([0.3, 2.1]), 0.2, width=9, height=9)


def rough(resolution: int = 7) -> Voxels:
    scene = Voxels.start(resolution=resolution, samples=256)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        scene.raw_density += torch.randn(scene.raw_density.shape, generator=generator)
        scene.colour_logits += torch.randn(scene.colour_logits.shape, generator=generator)
    return scene


def test_pictures_are_sums_along_the_whole_way_through_the_ball():
    scene = rough()
    origins, directions = (rays.reshape(-1, 3) for rays in CAMERAS.rays())
    near, far = through_ball(origins, directions)
    step = (far - near)[:, None] / 2000
    z = near[:, None] + step * (torch.arange(2000) + 0.5)
    points = origins[:, None] + z[..., None] * directions[:, None]
    table = torch.cat([scene.raw_density[None], scene.colour_logits])[None]
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
