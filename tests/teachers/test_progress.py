"""The progress map: low where the student cannot show what its source does, high elsewhere; kept in files."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from distill3d import files
from distill3d.camera import turntable
from distill3d.conversions.between_primitives import to_surfels
from distill3d.conversions.field_to_primitives import field_to_primitives
from distill3d.distill import learn
from distill3d.moment import Moment
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.voxels import Voxels
from distill3d.teachers.progress import PROGRESS, Progress, mixed, progress_of
from distill3d.teachers.scene import SceneTeacher
from tests.conversions.test_moved import scene
from tests.formula import Formula, solid_ball, waves


def moment(seed: int = 0) -> Moment:
    return Moment(8, 10, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def ball() -> Gaussians:
    """Opaque, of a few hundred Gaussians without harmonics beyond degree 0."""
    made = field_to_primitives(Formula(solid_ball(0.6), waves, samples=32), "gaussians", count=300)
    assert isinstance(made, Gaussians)
    return made


def test_one_effect_that_the_student_cannot_hold_has_low_confidence_and_the_rest_high(ball):
    """The Gaussians on one side of the source shimmer, and the student has no harmonics for that."""
    shimmer = torch.randn(len(ball.means), 8, 3, generator=torch.Generator().manual_seed(0))
    shimmer *= (ball.means[:, :1, None] > 0.1).float()
    state = ball.state_dict()
    source = Gaussians.from_state({**state, "sh": torch.cat([state["sh"], shimmer], 1)})
    student = Gaussians.from_state(state)
    for _ in learn(student, Progress(SceneTeacher(source, shots=16), 2, 32), steps=60):
        pass
    x, found = student.means[:, 0], progress_of(student)
    shimmers, plain = found[x > 0.2], found[x < 0]
    assert shimmers.median() < 0.3 and plain.median() > 0.75
    assert (shimmers < 0.45).float().mean() > 0.9 and (plain > 0.6).float().mean() > 0.9


@pytest.mark.parametrize("kind", ["gaussians", "surfels"])
@pytest.mark.parametrize("error", [0.0, 0.05, 0.15])
def test_confidence_is_what_the_error_says(ball, kind, error):
    """The same primitives but for an even error e of their colours have 1 / (1 + e² / τ²), so ½ at τ.

    Alpha is right, so that the mean square over the four channels is ¾ e².
    """
    source, student = (Gaussians.from_state(ball.state_dict()) for _ in range(2))
    assert isinstance(source, Gaussians) and isinstance(student, Gaussians)
    source.sh.data[:] = 0
    student.sh.data[:] = error / 0.28209479
    if kind == "surfels":
        source, student = to_surfels(source), to_surfels(student)
    lesson, now = Progress(SceneTeacher(source, shots=12), 4, 32), moment()
    for _ in range(40):
        lesson(student, now)
    expected = 1 / (1 + 0.75 * error**2 / lesson.tolerance**2)
    assert_close(progress_of(student).median(), torch.tensor(expected), atol=0.08, rtol=0)


def test_a_mixture_is_the_student_where_it_counts_and_the_source_elsewhere():
    cameras = turntable(2, width=16, height=16)
    with torch.no_grad():
        ours = scene(Gaussians).render(cameras, want=("rgb", "alpha", "depth"))
        theirs = scene(Gaussians, seed=1).render(cameras, want=("rgb", "alpha", "depth", "normal"))
    whole, none = (mixed(ours, theirs, torch.full_like(ours.alpha, share)) for share in (1.0, 0.0))
    assert_close(whole.rgb, ours.rgb)
    assert_close(none.depth, theirs.depth)
    assert whole.normal is None


def test_the_map_of_ones_is_alpha():
    cameras = turntable(2, width=16, height=16)
    sharp = scene(Gaussians)
    sharp.antialiased.fill_(True)
    for student in (scene(Gaussians), sharp, to_surfels(scene(Gaussians))):
        with torch.no_grad():
            alpha = student.render(cameras).alpha
        assert_close(student.draw(torch.ones(40, 1), cameras), alpha)


def test_the_student_is_spared_what_has_no_progress_of():
    """Where the confidence is 0, the source's picture is compared with itself, but for what shows through."""
    source = scene(Gaussians)
    source.opacity_logits.data += 20
    pulls = {}
    for value in (0.0, 1.0):
        student = Gaussians.from_state(source.state_dict())
        student.sh.data[:, 0] += 1
        student.extra.put(PROGRESS, torch.full((40,), value))
        told = Progress(SceneTeacher(source, shots=2, alpha_weight=0.0), 2, 16)(student, moment())
        (pull,) = torch.autograd.grad(told.loss.total, student.sh)
        pulls[value] = float(pull.norm())
    assert pulls[0.0] < 0.3 * pulls[1.0]


def test_it_goes_along_with_its_primitives_into_files_and_back(tmp_path):
    source, student = scene(Gaussians), scene(Gaussians, seed=1)
    student.photographed.fill_(True)
    steps = learn(student, Progress(SceneTeacher(source, shots=4), 2, 16), steps=30)
    for _ in steps:
        assert len(progress_of(student)) == len(student.means)
    files.save(student, tmp_path / "student.ply")
    back = files.load(tmp_path / "student.ply")
    assert isinstance(back, Gaussians)
    assert torch.equal(progress_of(back), progress_of(student)) and progress_of(back).std() > 0
    assert b"property float progress" in (tmp_path / "student.ply").read_bytes()


def test_only_primitives_have_a_progress_each():
    with pytest.raises(TypeError, match="given a Voxels, expected Gaussians or surfels"):
        Progress(SceneTeacher(scene(Gaussians)), 1, 8)(Voxels.start(resolution=4), moment())
