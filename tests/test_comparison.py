"""Pictures compared: a scene with itself, closed forms for spheres, symmetry, masks, and the worst view."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from distill3d.camera import Cameras, turntable
from distill3d.comparison import Renderer, Scores, against_photographs, compare
from distill3d.data.photographs import Photographs
from distill3d.rendering import Rendering
from distill3d.representations.gaussians import Gaussians
from distill3d.world.grammar import describe
from distill3d.world.model import instance
from tests.traced import ball, blank, by_octant, traced

CAMERAS = turntable(3, width=48, height=40)


def with_normals(render: Renderer, normal: Callable[[torch.Tensor], torch.Tensor]) -> Renderer:
    """Normals that are a function of the point seen."""

    def seen(cameras: Cameras) -> Rendering:
        picture = render(cameras)
        origins, directions = cameras.rays()
        points = origins + picture.mean_depth().nan_to_num(posinf=0) * directions
        return replace(picture, normal=normal(points) * picture.alpha)

    return seen


def outwards(points: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(points, dim=-1)


def upwards(points: torch.Tensor) -> torch.Tensor:
    return torch.tensor([0.0, 0.0, 1.0]).expand(points.shape)


def flat(rgb: float, alpha: float = 1.0) -> Renderer:
    def picture(cameras: Cameras) -> Rendering:
        shape = (*cameras.shape, cameras.height, cameras.width, 1)
        cover = torch.full(shape, alpha)
        return Rendering((cover * rgb).expand(*shape[:-1], 3), cover, 2 * cover)

    return picture


def test_a_scene_is_infinitely_near_to_itself() -> None:
    """100 dB stand for that."""
    model = instance(describe("a red robot"), 0)
    found = compare(model.render, model.render, CAMERAS)
    assert found.scores.psnr.tolist() == [100.0] * 3
    torch.testing.assert_close(found.scores.ssim, torch.ones(3))
    assert found.alpha_error == 0 and found.depth_error == 0
    assert found.normal_error_deg == pytest.approx(0, abs=1e-4)


def test_spheres_differ_in_depth_as_geometry_says() -> None:
    """Seen along an axis, a sphere of radius r begins at 3 - r: one pixel suffices."""
    one = Cameras(CAMERAS.world_to_camera[:1], torch.tensor([[9.0, 9.0, 0.5, 0.5]]), 1, 1)
    front = turntable(1, elevation_rad=0.0, width=1, height=1)
    one = replace(one, world_to_camera=front.world_to_camera)
    found = compare(traced(ball(0.7), by_octant), traced(ball(0.4), by_octant), one)
    assert found.depth_error == pytest.approx((2.6 - 2.3) / ((2.6 + 2.3) / 2), rel=1e-3)


def test_the_silhouettes_of_spheres_differ_by_their_areas() -> None:
    """A sphere's outline is a circle of tan(asin(r / 3)) focal lengths."""
    cameras = turntable(1, width=200, height=200)
    found = compare(traced(ball(0.6), by_octant), traced(ball(0.3), by_octant), cameras)
    focal = cameras.intrinsics[0, 0].item()
    areas = [math.pi * (focal * math.tan(math.asin(r / 3))) ** 2 / 200**2 for r in (0.6, 0.3)]
    assert found.alpha_error == pytest.approx(areas[0] - areas[1], rel=0.02)


def test_normals_up_differ_from_a_balls_by_their_polar_angles() -> None:
    render = traced(ball(0.6), by_octant)
    cameras = turntable(2, elevation_rad=math.pi / 2 - 1e-3, width=64, height=64)
    found = compare(with_normals(render, outwards), with_normals(render, upwards), cameras)
    assert found.normal_error_deg is not None
    pictures = with_normals(render, outwards)(cameras)
    assert pictures.normal is not None
    polar = pictures.normal[..., 2][pictures.alpha[..., 0] > 0.9].acos().rad2deg().mean()
    assert found.normal_error_deg == pytest.approx(polar.item(), abs=0.01)
    assert found.normal_error_deg > 30


def test_the_order_of_two_scenes_does_not_matter() -> None:
    a = with_normals(traced(ball(0.6), by_octant), outwards)
    b = with_normals(traced(ball(0.5, (0.1, 0.0, 0.0)), by_octant), upwards)
    there, back = compare(a, b, CAMERAS), compare(b, a, CAMERAS)
    torch.testing.assert_close(there.scores.psnr, back.scores.psnr)
    torch.testing.assert_close(there.scores.ssim, back.scores.ssim)
    for name in ("alpha_error", "depth_error", "normal_error_deg"):
        assert getattr(there, name) == pytest.approx(getattr(back, name), rel=1e-5)


def test_nothing_opaque_has_no_depth_and_no_normal_to_compare() -> None:
    found = compare(blank, traced(ball(0.6), by_octant), CAMERAS)
    assert found.depth_error is None and found.normal_error_deg is None and found.alpha_error > 0


@pytest.mark.parametrize("difference", [0.1, 0.01])
def test_psnr_is_that_of_a_constant_difference(difference: float) -> None:
    found = compare(flat(0.5), flat(0.5 + difference), CAMERAS)
    expected = torch.full((3,), -20 * math.log10(difference))
    torch.testing.assert_close(found.scores.psnr, expected, atol=1e-3, rtol=0)


def test_what_is_clear_is_white() -> None:
    found = compare(flat(1.0, 0.3), blank, CAMERAS)
    assert found.scores.psnr.tolist() == [100.0] * 3 and found.alpha_error == pytest.approx(0.3)


def test_a_moved_scene_seen_by_moved_cameras_compares_the_same() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (Gaussians.start(count=200, limit=200, seed=s, opacity=0.9) for s in (0, 1))
    shift = torch.randn(3, generator=generator)
    moved = CAMERAS.world_to_camera.clone()
    moved[:, :3, 3] -= moved[:, :3, :3] @ shift
    there = replace(CAMERAS, world_to_camera=moved)

    def render(scene: Gaussians) -> Renderer:
        return lambda cameras: scene.render(cameras, want=("rgb", "alpha", "depth", "normal"))

    before = compare(render(a), render(b), CAMERAS)
    with torch.no_grad():
        for scene in (a, b):
            scene.means += shift
    after = compare(render(a), render(b), there)
    torch.testing.assert_close(before.scores.psnr, after.scores.psnr, atol=1e-2, rtol=0)
    assert before.depth_error == pytest.approx(after.depth_error, rel=1e-2)


def photographs(rgba: torch.Tensor, believed: torch.Tensor | None = None) -> Photographs:
    believed = torch.full_like(rgba[..., :1], 255) if believed is None else believed
    return Photographs(turntable(len(rgba), width=rgba.shape[2], height=rgba.shape[1]), rgba, believed)


def test_photographs_of_a_scene_score_as_their_rounding_allows() -> None:
    """Bytes are at most half a step off: uniformly, that is 58.9 dB."""
    model = instance(describe("a yellow duck"), 0)
    cameras = turntable(4, width=48, height=48)
    picture = model.render(cameras)
    rgba = (torch.cat([picture.rgb, picture.alpha], -1) * 255).round().to(torch.uint8)
    scores = against_photographs(model.render, photographs(rgba))
    assert scores.psnr.min() > 20 * math.log10(255 * 2) and scores.ssim.min() > 0.999


def test_what_is_not_believed_does_not_count() -> None:
    """Half of the picture is wrong, and masked: the rest alone makes the score."""
    rgba = torch.full((2, 16, 16, 4), 255, dtype=torch.uint8)
    rgba[..., :3] = 102
    rgba[:, :, 8:, :3] = 0
    believed = torch.full((2, 16, 16, 1), 255, dtype=torch.uint8)
    believed[:, :, 8:] = 0
    masked = against_photographs(flat(0.5), photographs(rgba, believed))
    whole = against_photographs(flat(0.5), photographs(rgba))
    torch.testing.assert_close(masked.psnr, torch.full((2,), 20.0), atol=1e-3, rtol=0)
    assert whole.psnr.max() < 10


def test_the_summary_names_the_worst_view() -> None:
    scores = Scores(torch.tensor([30.0, 20, 40]), torch.tensor([0.7, 0.8, 0.9]), torch.tensor([3.0, 1, 2]))
    assert scores.summary(["a", "b", "c"]) == {
        "psnr": 30.0,
        "psnr_worst": 20.0,
        "psnr_worst_view": "b",
        "ssim": pytest.approx(0.8),
        "ssim_worst": pytest.approx(0.7),
        "ssim_worst_view": "a",
        "seconds_per_picture": 2.0,
    }


def test_no_cameras_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="expected at least one"):
        compare(blank, blank, CAMERAS[:0])
