"""What every kind of scene promises; runs on every file in representations/."""

import pytest
import torch

from distill3d.camera import look_at, orbit
from tests.representations.small import KINDS, OPTIONS, kind_of, start


@pytest.fixture(params=KINDS)
def scene(request):
    scene = start(request.param)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in scene.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return scene


CAMERAS = orbit(torch.tensor([0.2, 2.5, 4.4]), torch.tensor([0.1, -0.3, 0.9]), width=12, height=10)


def test_pictures_have_the_cameras_shape_and_only_what_was_asked_for(scene):
    picture = scene.render(CAMERAS)
    assert picture.rgb.shape == (3, 10, 12, 3) and picture.alpha.shape == (3, 10, 12, 1)
    assert picture.depth is None and picture.rgb.dtype == torch.float32
    assert scene.render(CAMERAS, want=("rgb", "alpha", "depth")).depth.shape == (3, 10, 12, 1)


def test_alpha_is_a_share_and_colour_is_premultiplied(scene):
    picture = scene.render(CAMERAS)
    assert picture.alpha.min() >= 0 and picture.alpha.max() <= 1 + 1e-5 and picture.alpha.max() > 0.2
    assert picture.rgb.min() >= 0
    nothing = picture.alpha[..., 0] < 1e-6
    assert (picture.rgb[nothing] < 1e-5).all()


def test_depth_lies_in_the_unit_ball(scene):
    picture = scene.render(CAMERAS, want=("rgb", "alpha", "depth"))
    seen = picture.alpha > 0.1
    assert (picture.mean_depth()[seen] > 1.4).all() and (picture.mean_depth()[seen] < 4.6).all()


def test_a_batch_is_its_cameras_one_by_one(scene):
    batch = scene.render(CAMERAS)
    for i in range(len(CAMERAS)):
        torch.testing.assert_close(scene.render(CAMERAS[i]).rgb, batch.rgb[i], atol=1e-5, rtol=1e-4)


def test_looking_away_shows_nothing(scene):
    away = look_at(torch.tensor([3.0, 0.0, 0.0]), [6.0, 0.0, 0.0], fov_y_rad=0.7, width=6, height=6)
    assert scene.render(away).alpha.abs().max() < 1e-6


def test_gradients_reach_every_parameter_and_every_parameter_has_a_group(scene):
    picture = scene.render(CAMERAS)
    cotangent = torch.rand(picture.rgb.shape, generator=torch.Generator().manual_seed(2))
    (picture.rgb * cotangent).sum().backward()
    grouped = {id(p) for group in scene.param_groups() for p in group["params"]}
    for name, parameter in scene.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
        assert id(parameter) in grouped, name


def test_gradients_agree_with_differences_of_the_picture(scene):
    """Along the gradient's own direction the loss changes by ‖g‖ per unit, to first order."""
    generator = torch.Generator().manual_seed(3)
    cotangent = torch.rand((3, 10, 12, 3), generator=generator)

    def loss():
        return (scene.render(CAMERAS).rgb * cotangent).sum()

    for name, parameter in scene.named_parameters():
        (g,) = torch.autograd.grad(loss(), parameter)
        direction, length = g / g.norm(), 2e-2
        with torch.no_grad():
            parameter += length * direction
            after = loss().double()
            parameter -= 2 * length * direction
            before = loss().double()
            parameter += length * direction
        assert ((after - before) / (2 * length)).item() == pytest.approx(g.norm().item(), rel=0.1), name


def test_a_saved_state_is_the_same_scene(scene):
    again = type(scene).from_state(scene.state_dict())
    assert torch.equal(again.render(CAMERAS).rgb, scene.render(CAMERAS).rgb)
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in scene.state_dict().items()
    }


def test_the_seed_decides_the_start():
    for name in KINDS:
        kind = kind_of(name)
        first, again, other = (kind.start(seed=s, **OPTIONS.get(name, {})).state_dict() for s in (0, 0, 1))
        assert all(torch.equal(first[k], again[k]) for k in first)
        assert any(not torch.equal(first[k], other[k]) for k in first)


@pytest.mark.parametrize("name", KINDS)
def test_an_impossible_start_is_refused_with_a_sentence(name):
    options = {
        "gaussians": {"count": 0},
        "surfels": {"opacity": 1.0},
        "mesh": {"radius": 0.0},
        "hash_grid": {"width": 0},
        "instant_ngp": {"width": 0},
        "mlp": {"layers": 0},
        "nerfacto": {"width": 0},
    }
    with pytest.raises(ValueError, match=r"cannot start with .*; expected"):
        kind_of(name).start(**options.get(name, {"resolution": 1}))
