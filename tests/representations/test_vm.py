"""VM: planes times lines."""

import torch
from torch.testing import assert_close

from distill3d import field
from distill3d.camera import turntable
from distill3d.moment import Moment
from distill3d.representations.vm import Vm


def test_the_density_is_the_sum_of_planes_times_lines_over_the_haze():
    scene = Vm.start(resolution=5, density_rank=2, colour_rank=1)
    with torch.no_grad():
        scene.density_planes.zero_()
        scene.density_planes[0, ..., 1] = 3.0
        scene.density_lines[0, :, 1] = torch.linspace(-1, 1, 5)
    x = torch.rand(20, 3) - 0.5
    assert_close(scene.log_density(x), field.log_sharp(3 * x[:, 2] + field.haze(x)))


def test_colours_are_a_basis_of_the_products():
    scene = Vm.start(resolution=5, density_rank=1, colour_rank=1)
    with torch.no_grad():
        scene.colour_planes.fill_(2.0)
        scene.colour_lines.fill_(0.5)
        scene.basis.copy_(torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, 2]]))
    _, rgb, feature = scene.query(torch.zeros(1, 3), None)
    assert_close(rgb[0], torch.tensor([1.0, -1, 2]).sigmoid())
    assert feature is None


def test_in_a_fit_alone_planes_and_lines_of_density_are_held_small():
    """1e-4 times the mean magnitude of both."""
    scene, cameras = Vm.start(resolution=5, density_rank=2, colour_rank=1), turntable(1, width=4, height=4)
    with torch.no_grad():
        scene.density_planes.fill_(-0.5)
        scene.density_lines.fill_(0.25)
    seen, moment = scene.render(cameras), Moment(1, 1, torch.Generator())
    assert scene.penalty(cameras, seen, moment) is None
    scene.photographed.fill_(True)
    assert_close(scene.penalty(cameras, seen, moment), torch.tensor(0.75e-4))
