"""What fields of PVD's promise beyond the contract of scenes, which holds for planes and lines alone."""

import math

import pytest
import torch
from torch.testing import assert_close

from distill3d.errors import UserError
from distill3d.representations._placed import EMPTY, Place
from distill3d.representations._pvd_blocks import Network, Planes, Voxels
from distill3d.representations.pvd import Pvd
from distill3d.rotation import matrix_from_wxyz

GENERATOR = torch.Generator().manual_seed(0)


def noise(*shape):
    return 0.5 * torch.randn(*shape, generator=GENERATOR)


RADIANCE = [noise(8, 31), noise(3, 8)]
BLOCKS = {
    "network": Network(
        [noise(12, 15), noise(12, 27), noise(6, 12)],
        [noise(12), noise(12), noise(6)],
        [noise(16, 6)],
        RADIANCE,
    ),
    "planes": Planes(
        noise(3, 5, 5, 2), noise(3, 5, 2), noise(3, 5, 5, 3), noise(3, 5, 3), noise(15, 9), RADIANCE
    ),
    "voxels": Voxels(noise(4, 5, 6), noise(4, 5, 6, 27)),
}
each = pytest.mark.parametrize("block", list(BLOCKS.values()), ids=list(BLOCKS))


def sights(count):
    generator = torch.Generator().manual_seed(4)
    x = torch.rand(count, 3, generator=generator) - 0.5
    return x, torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)


@each
def test_the_density_alone_is_that_of_the_query(block):
    scene, (x, d) = Pvd(block, samples=24), sights(50)
    assert_close(scene.log_density(x), scene.query(x, d)[0])
    with pytest.raises(ValueError, match="no directions"):
        scene.query(x, None)


@each
def test_a_saved_state_is_the_same_field(block):
    scene, (x, d) = (
        Pvd(block, samples=24, place=Place(drawn=torch.tensor([[-0.3] * 3, [0.4] * 3]))),
        sights(50),
    )
    again = Pvd.from_state(scene.state_dict())
    assert type(again.block) is type(block) and again.state_dict().keys() == scene.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(again.query(x, d)[:2], scene.query(x, d)[:2], strict=True))
    assert (again.log_density(x) == EMPTY).any()


def test_a_state_without_an_architecture_is_refused():
    state = Pvd(BLOCKS["voxels"], samples=24).state_dict()
    with pytest.raises(UserError, match="without an architecture; expected one of"):
        Pvd.from_state({name: value for name, value in state.items() if not name.startswith("block")})


@each
def test_a_field_that_stands_elsewhere_is_the_same_seen_from_there(block):
    rotation = matrix_from_wxyz(torch.nn.functional.normalize(torch.tensor([0.9, 0.1, -0.3, 0.2]), dim=0))
    shift, scale = torch.tensor([0.05, -0.1, 0.02]), 1.6
    moved = Pvd(block, samples=24, place=Place(to_source=torch.cat([scale * rotation, shift[:, None]], 1)))
    x, d = sights(60)
    here, colour, _ = moved.query(0.5 * x, d)
    there, expected, _ = Pvd(block, samples=24).query(0.5 * x @ (scale * rotation).T + shift, d @ rotation.T)
    assert_close(here, there + math.log(scale), rtol=0, atol=1e-4)
    assert_close(colour, expected, rtol=0, atol=1e-4)


@each
def test_gradients_reach_every_parameter_and_every_parameter_has_one_group(block):
    scene, (x, d) = Pvd(block, samples=24), sights(400)
    log_density, rgb, _ = scene.query(x, d)
    parameters = dict(scene.named_parameters())
    slopes = torch.autograd.grad(log_density.sum() + rgb.square().sum(), list(parameters.values()))
    assert all(slope.abs().max() > 0 for slope in slopes)
    grouped = [id(p) for group in scene.param_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in parameters.values())


def test_densities_stay_between_the_limits():
    steep = Pvd(Voxels(60 * torch.rand(4, 4, 4) - 30, torch.zeros(4, 4, 4, 3)), samples=24)
    found = steep.log_density(sights(300)[0])
    assert found.min() == -2 and found.max() == 7


def test_only_what_pvd_compares_is_told_as_features():
    x, d = sights(5)
    found = {name: Pvd(block, samples=24).query(x, d)[2] for name, block in BLOCKS.items()}
    assert found["voxels"] is None
    assert all(f is not None and f.shape == (5, 15) for name, f in found.items() if name != "voxels")
