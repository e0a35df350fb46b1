from __future__ import annotations

import math

import pytest
import torch

from distill3d.camera import Cameras
from distill3d.fusion import TRUNCATION_VOXELS, Volume, fuse, silhouette_offset, solid, voxel_centres
from distill3d.rendering import Rendering
from distill3d.survey import surround, survey
from tests.traced import ball, blank, box, by_octant, cup, torus, traced


def truth(volume: Volume, distance) -> torch.Tensor:
    return distance(volume.centres().reshape(-1, 3)).reshape(volume.distance.shape)


def iou(volume: Volume, distance) -> float:
    expected = truth(volume, distance) < 0
    return ((expected & volume.inside).sum() / (expected | volume.inside).sum()).item()


@pytest.mark.parametrize(
    ("distance", "least"),
    [
        (ball(0.6), 0.97),
        (ball(0.2, (0.5, 0.3, -0.2)), 0.9),
        (torus(0.55, 0.2), 0.95),
        (box(0.5, 0.4, 0.3), 0.94),
        (box(0.6, 0.6, 0.075), 0.9),
        (cup(0.5, 0.5, 0.15), 0.92),
    ],
    ids=["ball", "small ball", "torus", "box", "plate", "cup"],
)
def test_a_solid_comes_back_from_its_pictures(distance, least):
    volume = fuse(traced(distance, by_octant), resolution=40, views=40, size_px=80)
    assert iou(volume, distance) > least


def test_distances_are_right_near_the_surface():
    distance = ball(0.6)
    volume = fuse(traced(distance, by_octant), resolution=40, views=40, size_px=80)
    expected = truth(volume, distance)
    near = expected.abs() < volume.voxel
    error = (volume.distance - expected)[near] / volume.voxel
    assert error.abs().mean() < 0.2
    assert error.mean().abs() < 0.05
    assert volume.distance.abs().max() <= TRUNCATION_VOXELS * volume.voxel + 1e-6


def test_the_inside_of_a_cup_is_carved():
    volume = fuse(traced(cup(0.5, 0.5, 0.1), by_octant), resolution=32, views=40, size_px=64)
    hollow = volume.inside[16, 16]  # up along the axis: floor, then air
    heights = voxel_centres(32, 1.0)[16, 16, :, 2]
    assert hollow[(heights > -0.48) & (heights < -0.42)].all()
    assert not hollow[heights > -0.36].any()


def test_a_turned_scene_is_a_turned_volume():
    """A quarter turn about the vertical axis permutes the voxels."""
    render = traced(box(0.5, 0.3, 0.4), by_octant)
    quarter = torch.tensor([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])

    def turned(cameras: Cameras) -> Rendering:
        world_to_camera = cameras.world_to_camera @ quarter
        return render(Cameras(world_to_camera, cameras.intrinsics, cameras.width, cameras.height))

    before, after = (fuse(r, resolution=32, views=40, size_px=64).inside for r in (render, turned))
    # the point (x, y) goes to (-y, x)
    assert (before.flip(1).transpose(0, 1) != after).float().mean() < 0.01


def test_extent_scales_the_world():
    small = fuse(traced(ball(0.5), by_octant), resolution=24, views=32, size_px=48)
    large = fuse(traced(ball(1.0), by_octant), resolution=24, views=32, size_px=48, extent=2.0)
    assert (small.inside == large.inside).float().mean() > 0.999
    torch.testing.assert_close(2 * small.voxel, large.voxel)


def test_colours_are_those_of_the_surface():
    distance = ball(0.6)
    volume = fuse(traced(distance, by_octant), resolution=32, views=40, size_px=64)
    centres = volume.centres()
    shell = (truth(volume, distance).abs() < 0.5 * volume.voxel) & (centres.abs().amin(-1) > 2 * volume.voxel)
    assert shell.sum() > 300
    assert (volume.rgb[shell] - by_octant(centres[shell])).abs().max() < 0.1


def test_nothing_seen_is_nothing_inside():
    assert not fuse(blank, resolution=16, views=16, size_px=32).inside.any()


def test_translucent_haze_is_no_solid():
    """Where every camera sees through, alpha 0.3 over the whole picture leaves no inside."""

    def haze(cameras: Cameras) -> Rendering:
        picture = torch.full((*cameras.shape, cameras.height, cameras.width, 1), 0.3)
        return Rendering(picture.expand(*picture.shape[:-1], 3), picture, 3 * picture)

    assert not fuse(haze, resolution=16, views=16, size_px=32).inside.any()


def test_cameras_surround_evenly_and_see_the_ball():
    cameras = surround(200, size_px=64, extent=2.0)
    directions = cameras.centres / cameras.centres.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(cameras.centres.norm(dim=-1), torch.full((200,), 6.0))
    assert directions[:, :2].mean(0).norm() < 0.02
    assert math.asin(directions[:, 2].min()) == pytest.approx(-0.6, abs=0.02)
    nearest = (directions @ directions.T).fill_diagonal_(-1).amax(-1).arccos()
    assert nearest.min() > 0.5 * nearest.max()
    # the rim of the ball stays in the picture: its angle is asin(1/3), half the field of view is a bit more
    assert math.asin(1 / 3) < math.atan(32 / cameras.intrinsics[0, 1])


def test_voxel_centres_are_symmetric_and_half_a_voxel_from_the_border():
    centres = voxel_centres(5, 2.0)
    torch.testing.assert_close(centres[:, 0, 0, 0], torch.tensor([-1.6, -0.8, 0.0, 0.8, 1.6]))
    torch.testing.assert_close(centres[1, 2, 4], torch.tensor([-0.8, 0.0, 1.6]))


def test_pictures_without_depth_are_refused_in_a_sentence():
    def flat(cameras: Cameras) -> Rendering:
        rendering = blank(cameras)
        return Rendering(rendering.rgb, rendering.alpha)

    with pytest.raises(ValueError, match="fusion needs depth"):
        survey(flat, surround(4, size_px=8))


def test_a_volume_of_one_voxel_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="at least 2 voxels"):
        fuse(blank, resolution=1, views=4, size_px=8)


def behind(render, offset):
    """A renderer whose depth lies `offset` behind its surfaces, as that of soft scenes does."""

    def render_behind(cameras: Cameras) -> Rendering:
        picture = render(cameras)
        return Rendering(picture.rgb, picture.alpha, picture.depth + offset * picture.alpha)

    return render_behind


SOLIDS = pytest.mark.parametrize(
    "distance",
    [ball(0.6), torus(0.55, 0.2), box(0.5, 0.4, 0.3), box(0.6, 0.6, 0.075), cup(0.5, 0.5, 0.15)],
    ids=["ball", "torus", "box", "plate", "cup"],
)
AROUND = surround(40, size_px=80)


@SOLIDS
def test_depths_of_hard_surfaces_agree_with_their_silhouettes(distance):
    assert silhouette_offset(survey(traced(distance, by_octant), AROUND), resolution=40) < 0.005


@SOLIDS
@pytest.mark.parametrize("bias", [0.05, 0.1])
def test_depths_that_lie_behind_are_moved_by_as_much(distance, bias):
    """Less the fifth of a voxel, here 0.01, that outlines may be missed by."""
    pictures = survey(behind(traced(distance, by_octant), bias), AROUND)
    assert silhouette_offset(pictures, resolution=40) == pytest.approx(bias, abs=0.013)


@SOLIDS
def test_a_solid_comes_back_from_depths_that_lie_behind(distance):
    """Hollows too: a calibrated solid is not the silhouettes' hull, nor is it eroded."""
    pictures = survey(traced(distance, by_octant), AROUND)
    straight, biased = (solid(p, resolution=40) for p in (pictures, pictures.moved(-0.05)))
    assert iou(biased, distance) > iou(straight, distance) - 0.01


def test_outlines_outside_of_the_volume_need_no_offset():
    """A ball that holds the whole volume shows no outline in it."""
    pictures = survey(traced(ball(0.9), by_octant), surround(16, size_px=48))
    assert silhouette_offset(pictures, resolution=24, extent=0.4) == 0


def test_nothing_seen_needs_no_offset():
    assert silhouette_offset(survey(blank, AROUND)) == 0
