"""What every field promises: pictures by marching through what is not empty, and a grid that follows."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from distill3d.camera import look_at, orbit
from distill3d.field import CELLS, EVERY, SHARPNESS, Field, log_sharp, through_ball


class Ball(Field):
    """A ball of even density; its colour is the place, its feature the direction of sight."""

    directional = True

    def __init__(self, density: float = 30.0, radius: float = 0.6, samples: int = 128) -> None:
        super().__init__(samples=samples)
        self.log_inside = nn.Parameter(torch.tensor(math.log(density)))
        self.radius = radius
        self.asked = 0

    def query(self, x: Tensor, d: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        self.asked += len(x)
        assert d is not None
        assert_close(d.norm(dim=1), torch.ones(len(d)))
        edge = 200 * (self.radius - x.norm(dim=1))
        return self.log_inside + nn.functional.logsigmoid(edge), 0.5 + 0.5 * x, d


def camera(size: int = 21):
    return look_at(torch.tensor([3.0, 0, 0]), fov_y_rad=0.698, width=size, height=size)


def test_a_ball_absorbs_along_its_chord():
    density, radius = 0.8, 0.6
    picture = Ball(density, radius, samples=512).render(camera())
    origins, directions = camera().rays()
    unit = nn.functional.normalize(directions, dim=-1)
    closest = torch.linalg.cross(origins, unit).norm(dim=-1)
    chord = 2 * (radius**2 - closest**2).clamp_min(0).sqrt()
    assert_close(picture.alpha[..., 0], 1 - torch.exp(-density * chord), rtol=0, atol=0.02)


def test_all_that_is_wanted_comes_and_nothing_else():
    picture = Ball().render(camera(), want=("rgb", "alpha", "depth", "normal", "features"))
    middle = 10, 10
    assert picture.alpha[middle] > 0.99
    assert_close(picture.mean_depth()[middle], torch.tensor([2.43]), rtol=0, atol=0.03)
    assert_close(picture.normal[middle], torch.tensor([1.0, 0, 0]), rtol=0, atol=0.05)
    assert_close(picture.features[middle], torch.tensor([-1.0, 0, 0]), rtol=0, atol=0.01)
    assert_close(picture.rgb[middle], torch.tensor([0.79, 0.5, 0.5]), rtol=0, atol=0.02)
    plain = Ball().render(camera())
    assert plain.depth is None and plain.normal is None and plain.features is None


def test_normals_point_outwards_everywhere():
    x = 0.6 * nn.functional.normalize(torch.randn(50, 3), dim=-1)
    assert_close(Ball().normal(x), x / 0.6, rtol=0, atol=1e-4)


def test_looking_teaches_the_grid_where_nothing_is_and_changes_no_picture():
    scene = Ball()
    before = scene.render(camera())
    asked_before, scene.asked = scene.asked, 0
    share = scene.occupied.float().mean()
    for seed in range(20):
        scene.look(torch.Generator().manual_seed(seed))
    assert scene.occupied.float().mean() < 0.6 * share
    scene.asked = 0
    after = scene.render(camera())
    assert_close(after.rgb, before.rgb, rtol=0, atol=1e-5)
    assert scene.asked < 0.6 * asked_before


def test_grow_looks_now_and_then_and_only_the_generator_decides():
    scenes = [Ball(), Ball()]
    optimizer = torch.optim.Adam(scenes[0].parameters())
    for scene in scenes:
        generator = torch.Generator().manual_seed(5)
        for step in range(1, 3 * EVERY):
            scene.grow(step, 100, optimizer, generator)
    assert torch.equal(scenes[0].remembered, scenes[1].remembered)
    assert scenes[0].remembered.isfinite().sum() > 0.4 * CELLS**3


def test_what_vanishes_is_forgotten_and_what_appears_is_found():
    scene = Ball()
    generator = torch.Generator().manual_seed(0)
    scene.look(generator)
    occupied = scene.occupied.sum()
    with torch.no_grad():
        scene.log_inside.fill_(-20.0)
    for _ in range(60):
        scene.look(generator)
    assert scene.occupied.sum() == 0
    with torch.no_grad():
        scene.log_inside.fill_(3.0)
    scene.look(generator)
    assert scene.occupied.sum() > 0.9 * occupied


def test_the_grid_is_part_of_the_state():
    scene, again = Ball(), Ball()
    scene.look(torch.Generator().manual_seed(0))
    assert again.occupied.sum() > scene.occupied.sum()
    again.load_state_dict(scene.state_dict())
    assert torch.equal(again.occupied, scene.occupied)


def test_gradients_are_those_of_the_picture():
    scene = Ball(1.0)
    loss = scene.render(camera(9)).alpha.sum()
    (by,) = torch.autograd.grad(loss, scene.log_inside)
    with torch.no_grad():
        scene.log_inside += 1e-2
        more = scene.render(camera(9)).alpha.sum()
        scene.log_inside -= 2e-2
        less = scene.render(camera(9)).alpha.sum()
    assert by.item() == pytest.approx((more - less).item() / 2e-2, rel=0.01)


def test_pictures_without_gradients_are_drawn_in_parts(monkeypatch):
    whole = Ball().render(camera())
    monkeypatch.setattr("distill3d.field.RAYS_AT_ONCE", 50)
    with torch.no_grad():
        assert_close(Ball().render(camera()).rgb, whole.rgb.detach())


def test_a_camera_inside_a_picture_of_one_pixel_and_no_cameras_are_no_trouble():
    inside = look_at(torch.tensor([0.1, 0, 0]), fov_y_rad=0.7, width=4, height=4)
    assert Ball().render(inside).alpha.min() > 0.99
    assert Ball().render(camera(1)).rgb.shape == (1, 1, 3)
    none = orbit(torch.zeros(0), 0.1, width=4, height=3)
    assert Ball().render(none).rgb.shape == (0, 3, 4, 3)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_field_that_is_not_finite_somewhere_is_empty_there(poison):
    class Poisoned(Ball):
        def query(self, x: Tensor, d: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
            log_density, rgb, feature = super().query(x, d)
            return torch.where(x[:, 1] > 0, poison, log_density), rgb, feature

    scene = Poisoned()
    picture = scene.render(camera(), want=("rgb", "alpha", "depth", "normal"))
    assert all(t.isfinite().all() for t in (picture.rgb, picture.alpha, picture.depth, picture.normal))
    (by,) = torch.autograd.grad(picture.rgb.sum(), scene.log_inside)
    assert by.isfinite()
    scene.look(torch.Generator().manual_seed(0))
    assert not scene.remembered.isnan().any()


def test_features_that_a_field_lacks_are_refused_with_a_sentence():
    class Plain(Ball):
        def query(self, x: Tensor, d: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
            return (*super().query(x, d)[:2], None)

    with pytest.raises(ValueError, match="Plain has no features"):
        Plain().render(camera(3), want=("rgb", "alpha", "features"))


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="samples 1"):
        Ball(samples=1)


def test_rays_meet_the_ball_where_it_is():
    origins, directions = torch.tensor([[-3.0, 0, 0], [0, 5.0, 0]]), torch.tensor([[2.0, 0, 0], [1.0, 0, 0]])
    near, far = through_ball(origins, directions)
    assert near.tolist() == [1, 0] and far.tolist() == [2, 0]


def test_log_sharp_is_exact_for_any_raw_value():
    raw = torch.tensor([-300.0, -40, -16, -15, -2, 0, 3, 50, 1e4], requires_grad=True)
    exact = torch.log(SHARPNESS * nn.functional.softplus(raw.double()))
    exact = torch.where(raw < -30, raw.double() + math.log(SHARPNESS), exact)
    result = log_sharp(raw)
    assert_close(result.double(), exact, rtol=0, atol=1e-5)
    (slope,) = torch.autograd.grad(result.sum(), raw)
    assert slope.isfinite().all() and (slope >= 0).all() and slope[0] == 1


def test_a_field_that_is_confined_is_nothing_outside_and_is_not_looked_into_there():
    field = Ball()
    left = torch.zeros(1, CELLS, CELLS, CELLS, dtype=torch.bool)
    left[..., : CELLS // 2] = True
    field.confine(left)
    whole = field.occupied
    assert not (whole & ~left).any() and whole.any()
    field.asked = 0
    field.look(torch.Generator().manual_seed(0))
    assert 0 < field.asked <= left.sum() and not (field.occupied & ~left).any()
    assert (field.occupied & whole).equal(field.occupied), "what is found empty is left out"
    origins, directions = torch.tensor([[0.5, 0, -3]]), torch.tensor([[0.0, 0, 1]])
    shifted = torch.tensor([-0.5, 0, -3])[None]
    assert field._render_rays(origins, directions, ("rgb", "alpha"))["alpha"] == 0
    assert field._render_rays(shifted, directions, ("rgb", "alpha"))["alpha"] > 0.9
