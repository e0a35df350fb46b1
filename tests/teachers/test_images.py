"""The images teacher: the truth has no loss, any other picture has one, and masks are left out of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from distill3d.camera import turntable
from distill3d.data.photographs import Photographs
from distill3d.moment import Moment
from distill3d.rendering import Rendering
from distill3d.teachers.images import Images, over, scattered, shrunk


def photographs(count: int = 3, *, width: int = 20, height: int = 16, seed: int = 0) -> Photographs:
    generator = torch.Generator().manual_seed(seed)
    alpha = torch.rand(count, height, width, 1, generator=generator)
    rgba = torch.cat([torch.rand(count, height, width, 3, generator=generator) * alpha, alpha], -1)
    cameras = turntable(count, width=width, height=height)
    believed = torch.full((count, height, width, 1), 255, dtype=torch.uint8)
    return Photographs(cameras, (rgba * 255).round().to(torch.uint8), believed)


def moment(seed: int = 0) -> Moment:
    return Moment(1, 10, torch.Generator().manual_seed(seed))


def asked(teacher: Images, change=lambda rgba: rgba, *, views: int = 4, side: int = 20):
    """The loss of pictures that are the photographs, changed."""
    now = moment()
    cameras = teacher.cameras(now, views=views, width=side, height=side)
    truth = teacher._taken.rgba.float() / 255
    seen = change(truth.clone()).requires_grad_()
    return teacher(cameras, Rendering(seen[..., :3], seen[..., 3:]), now), seen


def test_the_photographs_themselves_have_no_loss():
    loss, _ = asked(Images(photographs()))
    assert_close(loss.total, torch.zeros(()), atol=1e-6, rtol=0)


def test_any_other_picture_has_a_loss_whose_descent_leads_to_the_photograph():
    loss, seen = asked(Images(photographs(), structure=0.0), lambda rgba: rgba + 0.1)
    assert loss.total > 0.01
    (gradient,) = torch.autograd.grad(loss.total, seen)
    assert (gradient[..., :3] > 0).all()


def test_without_structure_the_loss_is_the_mean_absolute_difference():
    def add(rgba: torch.Tensor) -> torch.Tensor:
        rgba[..., :3] += 0.07
        return rgba

    loss, _ = asked(Images(photographs(), structure=0.0), add)
    assert_close(loss.total, torch.tensor(0.07), rtol=1e-4, atol=1e-6)


def test_what_a_mask_leaves_out_does_not_count():
    masked = photographs()
    masked = replace(masked, believed=masked.believed.clone())
    masked.believed[:, :, :10] = 0

    def ruin(rgba: torch.Tensor) -> torch.Tensor:
        rgba[:, :, :10] = 0.3
        return rgba

    loss, _ = asked(Images(masked), ruin)
    assert_close(loss.total, torch.zeros(()), atol=1e-6, rtol=0)


def test_smaller_pictures_fit_their_box_and_keep_the_view():
    full = photographs(width=20, height=16)
    cameras = Images(full).cameras(moment(), views=2, width=10, height=10)
    assert (cameras.width, cameras.height) == (10, 8)
    half = shrunk(full, 10, 8)
    assert_close(half.cameras.intrinsics * 2, full.cameras.intrinsics)
    assert_close(half.rgba.float().mean(), full.rgba.float().mean(), rtol=0.01, atol=0.5)


def test_scattered_pixels_weigh_small_errors_by_their_square_and_large_ones_by_their_size():
    truth = torch.full((1, 2, 2, 3), 0.3)
    small, smaller, large, larger = (float(scattered(truth + e, truth).total) for e in (0.04, 0.02, 0.3, 0.6))
    assert small == pytest.approx(4 * smaller, rel=1e-4) and larger - large == pytest.approx(0.3, rel=1e-4)


@pytest.mark.parametrize("stride", [2, 3, 7])
def test_with_a_stride_the_photographs_themselves_have_no_loss_and_all_pixels_are_looked_at(stride):
    """Pictures whose colour is the ray's direction: what is picked must be what the cameras look at."""
    cameras = turntable(3, width=20, height=16)
    _, directions = cameras.rays()
    rgb = torch.nn.functional.normalize(directions, dim=-1) / 2 + 0.5
    rgba = torch.cat([rgb, torch.ones_like(rgb[..., :1])], -1).mul(255).round().to(torch.uint8)
    teacher = Images(Photographs(cameras, rgba, torch.full_like(rgba[..., :1], 255)), stride=stride)
    now, met = moment(), set()
    for _ in range(30 * stride):
        thin = teacher.cameras(now, views=4, width=20, height=20)
        assert (thin.width, thin.height) == (max(1, 20 // stride), max(1, 16 // stride))
        seen = torch.nn.functional.normalize(thin.rays()[1], dim=-1) / 2 + 0.5
        loss = teacher(thin, Rendering(seen, torch.ones_like(seen[..., :1])), now)
        assert loss.total < 2 / 255 and "ssim" not in loss.parts
        met |= {tuple(colour) for colour in teacher._taken.rgba.reshape(-1, 4).tolist()}
    assert len(met) > 0.9 * len(rgba.reshape(-1, 4).unique(dim=0))


def test_cameras_of_another_step_are_refused():
    teacher = Images(photographs())
    now = moment()
    teacher.cameras(now, views=2, width=20, height=20)
    other = turntable(2, width=20, height=16)
    blank = torch.zeros(2, 16, 20, 4)
    with pytest.raises(ValueError, match="this step"):
        teacher(other, Rendering(blank[..., :3], blank[..., 3:]), now)


def test_a_fixed_background_is_the_same_in_every_picture_and_shows_through():
    def clear(rgba: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(rgba)

    empty = photographs()
    empty = replace(empty, rgba=torch.zeros_like(empty.rgba))
    for colour in ((1.0, 0.5, 0.25), None):
        loss, _ = asked(Images(empty, background=colour), clear)
        assert_close(loss.total, torch.zeros(()), atol=1e-6, rtol=0)
    full = photographs()
    over_white, _ = asked(Images(full, background=(1.0, 1.0, 1.0), structure=0.0), clear)
    expected = (1 - over(full.rgba, torch.ones(3, 3))).abs().mean((1, 2, 3))
    assert expected.min() - 1e-6 <= over_white.total <= expected.max() + 1e-6


def test_over_is_linear_in_the_background():
    rgba = photographs().rgba
    black, white = (over(rgba, torch.full((3, 3), v)) for v in (0.0, 1.0))
    assert_close(over(rgba, torch.full((3, 3), 0.25)), 0.75 * black + 0.25 * white)
