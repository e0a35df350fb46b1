"""The scene teacher: the source itself has no loss, whatever is looked at; others come nearer to it."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from distill3d import files
from distill3d.camera import turntable
from distill3d.conversions.between_primitives import to_surfels
from distill3d.conversions.field_to_primitives import field_to_primitives
from distill3d.conversions.moved import moved
from distill3d.distill import Pictures, distill, learn
from distill3d.moment import Moment
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.hash_grid import HashGrid
from distill3d.scene import Seen
from distill3d.teachers._shots import UNSEEN, Shots
from distill3d.teachers.scene import SceneTeacher
from tests.conversions.test_moved import scene
from tests.formula import Formula, fog, psnr, solid_ball, waves

SCENES = Path(__file__).parents[2] / "scenes"
LOOKS = {"whole": {}, "tiles": {"tile_px": 12}, "pixels": {"stride": 3}}


def moment(seed: int = 0) -> Moment:
    return Moment(1, 10, torch.Generator().manual_seed(seed))


def asked(teacher: SceneTeacher, student, *, views: int = 5, side: int = 32, seed: int = 0):
    now = moment(seed)
    cameras = teacher.cameras(now, views=views, width=side, height=side)
    return teacher(cameras, student.render(cameras, want=teacher.want), now)


@pytest.mark.parametrize("look", LOOKS)
def test_a_field_has_nothing_to_learn_from_itself(look):
    source = Formula(solid_ball(0.6), waves, samples=32)
    teacher = SceneTeacher(source, shots=3, depth_weight=1.0, normal_weight=1.0, **LOOKS[look])
    loss = asked(teacher, source)
    assert {"l1", "alpha", "depth", "normal"} <= loss.parts.keys()
    assert_close(loss.total, torch.zeros(()), atol=2e-4, rtol=0)


@pytest.mark.parametrize("look", ["whole", "tiles"])
def test_primitives_have_nothing_to_learn_from_themselves(look):
    """Small ones, since how a large one bends at a picture's border depends on where that is."""
    source = scene(Gaussians)
    source.log_scales.data -= 1.5
    loss = asked(SceneTeacher(source, shots=3, depth_weight=1.0, normal_weight=1.0, **LOOKS[look]), source)
    assert_close(loss.total, torch.zeros(()), atol=2e-3, rtol=0)


def test_each_term_pulls_the_student_to_the_source():
    source, student = scene(Gaussians), scene(Gaussians)
    student.means.data += 0.02
    teacher = SceneTeacher(source, shots=2, depth_weight=1.0, normal_weight=1.0)
    loss = asked(teacher, student)
    for name in ("l1", "alpha", "depth", "normal"):
        (pull,) = torch.autograd.grad(loss.parts[name], student.means, retain_graph=True)
        assert loss.parts[name] > 1e-3 and pull.norm() > 0, name
    nearer = scene(Gaussians)
    nearer.means.data += 0.01
    assert (
        asked(SceneTeacher(source, shots=2), nearer).total
        < asked(SceneTeacher(source, shots=2), student).total
    )


def test_a_scene_and_its_extent_grown_alike_are_the_same_lesson():
    large = torch.diag(torch.tensor([5.0, 5, 5, 1], dtype=torch.float64))
    loss = {}
    for extent in (1.0, 5.0):
        source, student = scene(Gaussians), to_surfels(scene(Gaussians))
        if extent != 1:
            source, student = moved(source, large), moved(student, large)
        teacher = SceneTeacher(source, extent=extent, shots=4, depth_weight=1.0)
        loss[extent] = asked(teacher, student)
        assert teacher.held_out(3, size_px=8).centres.norm(dim=-1).min() > extent
    assert_close(loss[5.0].total, loss[1.0].total, rtol=0.01, atol=1e-4)
    assert_close(loss[5.0].parts["depth"], 5 * loss[1.0].parts["depth"], rtol=0.01, atol=1e-4)
    assert loss[1.0].parts["depth"] > 0


def test_as_many_lessons_are_from_near_as_from_afar():
    source = scene(Gaussians)
    taken = [
        SceneTeacher(source, shots=200, closer=closer).cameras(moment(), views=400, width=8, height=8)
        for closer in (1.0, 3.0)
    ]
    afar, near = (cameras.intrinsics for cameras in taken)
    focal, whole = near[:, 0] / afar[0, 0], afar[0, 0]
    assert_close(afar, afar[:1].expand_as(afar))
    assert float(focal.min()) >= 1 and 2.9 < float(focal.max()) <= 3.001
    assert 0.4 < float((focal == 1).float().mean()) < 0.6
    left, right = -near[:, 2] / near[:, 0], (8 - near[:, 2]) / near[:, 0]
    assert float(left.min()) >= -4 / whole - 1e-5 and float(right.max()) <= 4 / whole + 1e-5


def test_tiles_are_drawn_by_the_errors_in_them():
    cameras = turntable(2, width=8, height=8)
    errors = torch.tensor([[[1.0, 0], [0, 0]], [[0, 0], [0, 3]]])
    shots = Shots.of(scene(Gaussians), cameras, (), errors)
    drawn = shots.draw(20000, 0.6, moment())
    of = drawn.shots * 4 + drawn.tile[:, 1] * 2 + drawn.tile[:, 0]
    at = of.bincount(minlength=8) / 20000
    even = 0.4 / 8
    assert_close(at, torch.tensor([0.15 + even, *[even] * 6, 0.45 + even]), atol=0.015, rtol=0)


@pytest.mark.parametrize("side", [32, 30])
def test_errors_are_remembered_where_they_were_made(side):
    """Only the tile in which the student differs comes to have an error, and then is drawn nearly always."""
    source = Formula(solid_ball(0.9), waves, samples=32)
    teacher = SceneTeacher(source, shots=1, tile_px=12, active=1.0, background=(0.0, 0.0, 0.0))
    now = moment()
    for _ in range(60):
        cameras = teacher.cameras(now, views=3, width=side, height=side)
        rendering = source.render(cameras)
        in_corner = (cameras.intrinsics[:, 2] > side / 2 - 12) & (cameras.intrinsics[:, 3] > side / 2 - 12)
        rendering.rgb[in_corner] += 0.2  # tiles of the left column and upper row begin at 0
        teacher(cameras, rendering, now)
    assert teacher._shots is not None
    errors = teacher._shots.errors[0]
    assert_close(errors[0, 0], torch.tensor(0.2), atol=1e-3, rtol=0)
    assert (errors < 1e-3).sum() == 8


def test_the_worst_stays_and_what_is_known_is_exchanged():
    source, cameras = scene(Gaussians), turntable(6, width=8, height=8)
    shots = Shots.of(source, cameras, (), torch.tensor([0.5, 0.1, 0.9, 0.2, 0.4, 0.3])[:, None, None])
    before = shots.seen.rgb.clone()
    fresh = turntable(1, elevation_rad=1.0, width=8, height=8)
    shots.exchange(source, fresh, (), moment())
    new = torch.tensor([1, 3])
    assert torch.equal(shots.errors.flatten() == UNSEEN, torch.isin(torch.arange(6), new))
    assert torch.equal(shots.cameras.world_to_camera[1], fresh.world_to_camera[0])
    beside = (shots.cameras.centres[3] - cameras.centres[2]).norm() / cameras.centres[2].norm()
    assert 0 < beside < 0.3, "a moved copy of the worst"
    with torch.no_grad():
        assert_close(shots.seen.rgb, source.render(shots.cameras).rgb)
    assert not torch.equal(before[new], shots.seen.rgb[new])


def test_a_run_taken_up_from_a_checkpoint_ends_bit_for_bit_the_same(tmp_path):
    def run(state=None):
        student = scene(Gaussians, seed=1) if state is None else Gaussians.from_state(state["student"])
        teacher = SceneTeacher(scene(Gaussians), shots=20, tile_px=8)
        return student, distill(student, teacher, steps=24, rig=teacher, views=4, size=16, state=state)

    whole, steps = run()
    losses = [step.loss for step in steps]
    torch.save(list(itertools.islice(run()[1], 13))[-1].state(), tmp_path / "state.pt")
    resumed, steps = run(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [step.loss for step in steps] == losses[13:]
    assert all(torch.equal(v, resumed.state_dict()[name]) for name, v in whole.state_dict().items())


def test_primitives_of_a_field_come_nearer_to_it():
    source = Formula(fog, waves, samples=32)
    student = field_to_primitives(source, "gaussians", count=600)
    cameras = turntable(3, elevation_rad=0.1, width=32, height=32)
    before, teacher = psnr(student, source, cameras), SceneTeacher(source, shots=12)
    for _ in distill(student, teacher, steps=60, rig=teacher, views=2, size=32):
        pass
    assert psnr(student, source, cameras) > before + 4


def test_cameras_of_another_step_and_impossible_looks_are_sentences():
    teacher = SceneTeacher(scene(Gaussians), shots=2)
    teacher.cameras(moment(), views=2, width=8, height=8)
    other = turntable(2, width=8, height=8)
    with pytest.raises(ValueError, match="this step"):
        teacher(other, scene(Gaussians).render(other), moment())
    with pytest.raises(ValueError, match="tiles have no gaps"):
        SceneTeacher(scene(Gaussians), stride=2, tile_px=8)
    with pytest.raises(ValueError, match="0 to 1"):
        SceneTeacher(scene(Gaussians), active=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["field to gaussians", "field to surfels", "gaussians to field"])
def test_fields_and_splats_reach_30_db_in_90_seconds(direction):
    """At 128², to cameras that no lesson has used."""
    begun = time.perf_counter()
    if direction == "gaussians to field":
        source = files.load(SCENES / "owl.ply")
        teacher = SceneTeacher(source, stride=4)
        student = HashGrid.from_photographs(
            Seen(teacher.held_out(8, size_px=128, seed=1)),
            levels=8, log2_entries=14, finest=128, directional=False, samples=96,
        )  # fmt: skip
        views = 4
    else:
        source = files.load(SCENES / "turtle.safetensors")
        teacher, views = SceneTeacher(source), 2
        kind = "gaussians" if direction.endswith("gaussians") else "surfels"
        student = field_to_primitives(source, kind, count=10000)
    for _ in learn(student, Pictures(teacher, teacher, views, 128), steps=700):
        if time.perf_counter() - begun > 85:
            break
    assert psnr(student, source, teacher.held_out(12, size_px=128)) >= 30
