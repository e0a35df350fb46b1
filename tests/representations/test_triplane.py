"""Triplanes: features of three planes, decoded."""

import torch
from torch.testing import assert_close

from distill3d.camera import orbit
from distill3d.ops import grids
from distill3d.representations.triplane import Triplane
from distill3d.scene import Seen


def test_its_features_are_those_of_its_planes_and_can_be_drawn():
    scene = Triplane.start(resolution=8, channels=5, width=4)
    x = torch.rand(10, 3) - 0.5
    assert_close(scene.query(x, None)[2], grids.triplane(scene.planes, x))
    camera = orbit(torch.tensor(0.4), 0.1, width=6, height=6)
    assert scene.render(camera, want=("rgb", "alpha", "features")).features.shape == (6, 6, 5)


def test_density_alone_is_the_density_of_the_query():
    scene = Triplane.start(resolution=8, channels=5, width=4)
    x = torch.rand(10, 3) - 0.5
    assert torch.equal(scene.log_density(x), scene.query(x, None)[0])


def test_its_features_are_those_of_which_colours_are_made_where_a_network_makes_them():
    scene = Triplane.from_photographs(Seen(orbit(torch.zeros(1), 0.1, width=6, height=6)), resolution=32)
    x, d = torch.rand(10, 3) - 0.5, torch.nn.functional.normalize(torch.rand(10, 3), dim=1)
    _, rgb, features = scene.query(x, d)
    assert features.shape == (10, 15)
    with torch.no_grad():
        scene.colour[0][:, 1 : 1 + 15] = 0
        assert not torch.allclose(scene.query(x, d)[1], rgb)
