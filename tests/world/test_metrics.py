from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
import torch

from distill3d.camera import Cameras, azimuth_elevation, orbit
from distill3d.rendering import Rendering
from distill3d.world.grammar import describe
from distill3d.world.metrics import (
    ENTROPY_BINS,
    FRAMES,
    HELD_OUT_VIEWS,
    WorldReport,
    held_out,
    iou,
    measure,
    psnr,
    read_poses,
    turned,
)
from distill3d.world.model import Model, instances
from tests.traced import blank

ROBOT = describe("a red robot")


@pytest.fixture(scope="module")
def robots() -> list[Model]:
    return instances(ROBOT, 3)


@pytest.fixture(scope="module")
def truth_report(robots) -> WorldReport:
    return measured(robots[1].render, robots)


def measured(render: Callable[[Cameras], Rendering], robots: list[Model]) -> WorldReport:
    return measure(render, ROBOT, candidates=robots, size=32, resolution=40)


def with_faces(model: Model, faces: int) -> Callable[[Cameras], Rendering]:
    """A scene in which every sector of the circle shows the same side of `model`, around its front."""

    def render(cameras: Cameras) -> Rendering:
        azimuth, _ = azimuth_elevation(cameras)
        sector = 2 * math.pi / faces
        turns = (azimuth / sector).round() * sector
        matrices = [turned(cameras[i], turn).world_to_camera for i, turn in enumerate(turns.tolist())]
        return model.render(replace(cameras, world_to_camera=torch.stack(matrices)))

    return render


def test_the_truth_is_right(truth_report):
    report = truth_report
    assert (report.instance, report.faces, report.janus) == (1, 1, False)
    assert report.psnr > 40
    assert report.iou > 0.92
    assert report.rotation_deg == pytest.approx(0, abs=0.5)
    assert report.pose_coherence > 0.99
    assert report.pose_entropy == pytest.approx(math.log(ENTROPY_BINS), abs=0.02)


@pytest.mark.parametrize("degrees", [41.0, -130.0])
def test_a_turned_truth_is_found_with_the_same_numbers(robots, truth_report, degrees):
    report = measured(lambda cameras: robots[1].render(turned(cameras, math.radians(degrees))), robots)
    assert report.instance == 1
    assert report.rotation_deg == pytest.approx(degrees, abs=1)
    assert report.psnr > 40
    assert report.iou == pytest.approx(truth_report.iou, abs=0.03)
    assert (report.faces, report.janus) == (1, False)
    assert report.pose_coherence > 0.99


def test_instances_that_differ_mildly_are_told_apart():
    """One instance in four reds, each a step of 0.04 apart: the turned scene of any is matched to it."""
    robot = instances(ROBOT, 1)[0]

    def redder(by: float) -> Model:
        colours = [
            (max(0.0, min(1.0, red + by)), *rest) for red, *rest in (p.colour_rgb for p in robot.parts)
        ]
        painted = [part.painted(colour) for part, colour in zip(robot.parts, colours, strict=True)]
        return replace(robot, parts=tuple(painted))

    candidates = [redder(by) for by in (-0.08, -0.04, 0.0, 0.04)]
    for k, degrees in ((1, 0.0), (3, 50.0)):

        def render(cameras: Cameras, k=k, degrees=degrees) -> Rendering:
            return candidates[k].render(turned(cameras, math.radians(degrees)))

        report = measure(render, ROBOT, candidates=candidates, size=32, resolution=16)
        assert report.instance == k
        assert report.rotation_deg == pytest.approx(degrees, abs=1)


def test_a_scene_is_judged_at_the_size_it_is_measured_at(robots):
    """Small pictures of a learned scene mislead, here to another instance altogether."""

    def render(cameras: Cameras) -> Rendering:
        return robots[2 if cameras.width >= 96 else 0].render(cameras)

    report = measure(render, ROBOT, candidates=robots, size=96, resolution=24)
    assert report.instance == 2
    assert report.psnr > 40


@pytest.mark.parametrize("faces", [2, 3])
def test_faces_are_counted(robots, faces):
    report = measured(with_faces(robots[0], faces), robots)
    assert (report.faces, report.janus) == (faces, True)
    assert report.pose_coherence < 0.4
    assert report.psnr < 30


def test_a_scene_that_shows_its_front_everywhere_has_as_many_faces_as_fit(robots):
    def front(cameras: Cameras) -> Rendering:
        _, elevation = azimuth_elevation(cameras)
        fronts = orbit(torch.zeros_like(elevation), elevation, width=cameras.width, height=cameras.height)
        return robots[0].render(fronts)

    report = measured(front, robots)
    assert report.faces == 6
    assert report.pose_coherence < 0.05
    assert report.pose_entropy == pytest.approx(0)


def test_another_kind_scores_low(robots):
    wrong = measured(instances(describe("a green tree"), 1)[0].render, robots)
    assert wrong.psnr < 20
    assert wrong.iou < 0.5


def test_a_blank_scene_scores_nothing_and_stays_finite(robots):
    report = measured(blank, robots)
    assert report.iou == 0
    assert 0 < report.psnr < 20
    assert all(math.isfinite(value) for value in asdict(report).values() if isinstance(value, float))


def test_kinds_without_a_front_have_no_poses():
    description = describe("a green tree")
    trees = instances(description, 2)
    assert not trees[0].has_front
    report = measure(trees[1].render, description, candidates=trees, size=32, resolution=24)
    assert report.faces is report.janus is report.pose_coherence is report.pose_entropy is None
    assert report.psnr > 40


def test_a_report_is_json(truth_report):
    assert WorldReport(**json.loads(json.dumps(asdict(truth_report)))) == truth_report


def test_no_candidates_is_a_sentence(robots):
    with pytest.raises(ValueError, match="no candidates to measure against"):
        measure(robots[0].render, ROBOT, candidates=[])


def test_turning_the_cameras_is_turning_the_object():
    """A camera at azimuth a sees an object turned by r as one at a - r sees it straight."""
    azimuths = torch.tensor([0.3, 2.0, -1.0])
    straight, expected = (orbit(a, 0.4, width=8, height=8) for a in (azimuths, azimuths - 0.7))
    torch.testing.assert_close(turned(straight, 0.7).world_to_camera, expected.world_to_camera)


def test_iou_needs_the_right_rotation(robots):
    def quarter(cameras: Cameras) -> Rendering:
        return robots[0].render(turned(cameras, math.pi / 2))

    assert iou(quarter, robots[0], math.pi / 2, resolution=32) > 0.9
    assert iou(quarter, robots[0], 0.0, resolution=32) < 0.8


def test_poses_are_read_in_spite_of_wrong_colours():
    """A truth whose distance from white is 1.4 times too large, as in an over-saturated scene."""
    description = describe("a bookcase")
    bookcases = instances(description, 2)

    def saturated(cameras: Cameras) -> Rendering:
        right = bookcases[0].render(cameras)
        return replace(right, rgb=(right.alpha - 1.4 * (right.alpha - right.rgb)).clamp_min(0))

    report = measure(saturated, description, candidates=bookcases, size=32, resolution=24)
    assert report.faces == 1
    assert report.pose_coherence > 0.9


@pytest.mark.parametrize("prompt", ["a mug", "a bowl", "a guitar"])
def test_hollow_and_thin_things_match_themselves(prompt):
    model = instances(describe(prompt), 1)[0]
    assert iou(model.render, model) > 0.9


def test_psnr_of_known_errors():
    zero = torch.zeros(4, 5)
    assert psnr(zero, zero + 0.1) == pytest.approx(20, abs=1e-4)
    assert psnr(zero, zero) == pytest.approx(100)


def test_held_out_cameras_are_fixed_spread_and_look_from_where_people_look():
    azimuth, elevation = (x.rad2deg() for x in azimuth_elevation(held_out(64)))
    assert elevation.min() > -10
    assert elevation.max() < 60
    widest = torch.diff(azimuth.sort().values, append=azimuth.min()[None] + 360).max()
    assert widest < 2 * 360 / HELD_OUT_VIEWS
    # elevation has nothing to do with azimuth
    for wave in (azimuth.deg2rad().cos(), azimuth.deg2rad().sin()):
        assert torch.corrcoef(torch.stack([wave, elevation]))[0, 1].abs() < 0.15


def frames(*runs: tuple[int, int]) -> torch.Tensor:
    """Seen poses: frames counted in `runs` of (length, pose)."""
    return torch.cat([torch.full((length,), pose) for length, pose in runs])


@pytest.mark.parametrize(
    ("seen", "faces"),
    [
        (torch.arange(FRAMES), 1),
        ((torch.arange(FRAMES) + 17) % FRAMES, 1),
        (2 * torch.arange(FRAMES) % FRAMES, 2),
        (3 * torch.arange(FRAMES) % FRAMES, 3),
        (frames((72, 36)), 0),
        (frames((72, 0)), 6),
        (frames((72, 6)), 6),  # exactly 30 degrees is the front
        (frames((72, 7)), 0),
        (frames((6, 0), (2, 36), (6, 0), (58, 36)), 1),  # a gap of two is closed
        (frames((6, 0), (3, 36), (6, 0), (57, 36)), 2),
        (frames((10, 0), (20, 36), (2, 0), (40, 36)), 1),  # a run of two is noise
        (frames((10, 0), (20, 36), (3, 0), (39, 36)), 2),
        (frames((5, 0), (62, 36), (5, 0)), 1),  # one run across the end of the turntable
    ],
)
def test_faces_are_runs_of_front_frames_around_the_circle(seen, faces):
    for shift in (0, 1, 35):
        assert read_poses(seen.roll(shift)).faces == faces
        assert read_poses(seen.roll(shift)).janus or faces < 2


@pytest.mark.parametrize(
    ("seen", "repeats"),
    [
        (torch.arange(FRAMES), 1),
        (2 * torch.arange(FRAMES) % FRAMES, 2),
        (3 * torch.arange(FRAMES) % FRAMES, 3),
        (frames((72, 36)), 5),  # a back all around
        (frames((72, 7)), 5),  # a flank all around
        (torch.arange(FRAMES).clamp_max(50), 2),  # the last 22 frames show one side
        (torch.arange(FRAMES).clamp_max(60), 1),  # a side that is shown a little too long
        (
            torch.cat([torch.arange(0, FRAMES, 2), torch.full((36,), 36)]),
            3,
        ),  # once at double pace, and then half around
    ],
)
def test_any_side_may_be_shown_again_not_the_front_alone(seen, repeats):
    for turn in (0, 1, 35):
        for shift in (0, 20):
            poses = read_poses((seen.roll(shift) + turn) % FRAMES)
            assert poses.repeats == repeats
            assert poses.janus == (repeats >= 2 or poses.faces >= 2)


def test_coherence_does_not_care_how_the_object_is_turned():
    for shift in (0, 5, 40):
        assert read_poses((torch.arange(FRAMES) + shift) % FRAMES).pose_coherence == pytest.approx(
            1, abs=1e-5
        )
    assert read_poses(2 * torch.arange(FRAMES) % FRAMES).pose_coherence == pytest.approx(0, abs=1e-5)


def test_entropy_of_few_poses():
    assert read_poses(frames((36, 0), (36, 36))).pose_entropy == pytest.approx(math.log(2), abs=1e-5)


def test_a_front_all_around_is_as_many_faces_as_would_fit():
    everywhere = read_poses(torch.zeros(72, dtype=torch.long))
    assert (everywhere.faces, everywhere.janus) == (6, True)
    half = torch.arange(72)
    half[:36] = 0
    assert read_poses(half).faces == 4
    assert read_poses(torch.arange(72)).faces == 1
