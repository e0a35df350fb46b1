"""Progressive volume distillation: what is compared in each stage, and that the student comes to agree."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from distill3d.camera import orbit
from distill3d.conversions.inherited import comparable, inherit, look_into
from distill3d.distill import learn
from distill3d.field import Field
from distill3d.moment import Moment
from distill3d.representations.hash_grid import HashGrid
from distill3d.representations.mlp import Mlp
from distill3d.representations.triplane import Triplane
from distill3d.representations.vm import Vm
from distill3d.representations.voxels import Voxels
from distill3d.rig import Rig
from distill3d.scene import Seen
from distill3d.teachers.rays import Evenly, Hardest
from distill3d.teachers.volume import (
    JOINT,
    LEAST,
    MOST,
    STAGED,
    Stage,
    Volume,
    alike,
    by_light,
    limits,
    rms,
    within,
)

NOWHERE = Seen(orbit(torch.zeros(1), 0.0, width=1, height=1))
EVENLY = Evenly(Rig(), views=4, rays=400, size=16)


class Ball(Field):
    """A ball that is opaque, in the colour of the place, and as empty outside as is asked for."""

    def __init__(self, outside: float = -20.0) -> None:
        super().__init__(samples=48)
        self.outside = outside
        self.nothing = nn.Parameter(torch.zeros(()))

    def query(self, x: Tensor, d: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        inside = (0.5 - x.norm(dim=1)) * 60
        log_density = torch.where(inside > 0, inside.clamp_max(4), inside.clamp_min(self.outside))
        return log_density + 0 * self.nothing, 0.5 + 0.5 * x, None


def taught(student: Field, teacher: Field, **options: object) -> Volume:
    inherit(student, teacher)
    return Volume(teacher, EVENLY, comparable=comparable(student, teacher), **options)


def moment(number: int, steps: int = 100, seed: int = 0) -> Moment:
    return Moment(number, steps, torch.Generator().manual_seed(seed))


def grid() -> Voxels:
    return Voxels.start(resolution=24, samples=48)


def test_a_student_that_is_its_teacher_has_no_errors():
    teacher = HashGrid.start(levels=3, log2_entries=8, finest=16, width=16, samples=24, seed=5)
    student = HashGrid.from_state(teacher.state_dict())
    lesson = taught(student, teacher)
    for number in (1, 15, 90):
        loss = lesson(student, moment(number)).loss
        assert set(loss.parts) >= {"features", "density", "colour"}
        assert loss.total < 1e-4


@pytest.mark.parametrize("number", [1, 15, 90])
def test_each_stage_has_its_terms_and_weights(number: int):
    teacher, student = Ball(), grid()
    lesson = taught(student, teacher)
    loss = lesson(student, moment(number)).loss
    stage = next(s for s in STAGED if (number - 1) / 99 <= s.until)
    assert ("rays" in loss.parts) == (stage.rays > 0)
    expected = sum(getattr(stage, name) * part for name, part in loss.parts.items())
    assert_close(loss.total, expected)
    (slope,) = torch.autograd.grad(loss.total, student.base, allow_unused=True)
    assert (slope is None or slope.abs().sum() == 0) == (stage.colour == stage.rays == 0)


def test_a_student_comes_to_look_like_its_teacher():
    teacher, student = Ball(), grid()
    lesson = taught(student, teacher)
    *_, last = learn(student, lesson, steps=60, seed=1)
    camera = orbit(torch.tensor([0.3]), 0.4, width=24, height=24)
    with torch.no_grad():
        ours, theirs = (scene.render(camera).over((1.0, 1.0, 1.0)) for scene in (student, teacher))
    assert -10 * (ours - theirs).square().mean().log10() > 25
    assert last.rendering is None and len(last.cameras) == 4


def test_what_is_empty_may_be_emptier_at_no_cost():
    """The logarithm of no density has no bound; without the limits this error would be of the order of it."""
    student = grid()
    losses = []
    for outside in (-20.0, -2000.0):
        lesson = taught(grid(), Ball(outside))
        losses.append(lesson(student, moment(15)).loss.parts["density"])
    assert_close(losses[0], losses[1])


def test_the_limits_are_what_a_step_takes_of_the_light_in_a_scene_of_any_size():
    for step in (0.1, 0.003):
        taken = [-math.expm1(-math.exp(logarithm) * step) for logarithm in limits(step)]
        assert taken == pytest.approx([LEAST, MOST])


def test_what_is_beyond_a_limit_is_pulled_back_and_only_that() -> None:
    """Ours and theirs under, within and over the limits, which are ±1."""
    ours = torch.tensor([-9.0, -9.0, 0.5, 9.0, 9.0], requires_grad=True)
    theirs = torch.tensor([-5.0, 5.0, 0.0, -5.0, 5.0])
    errors = within(ours, (-1.0, 1.0)) - within(theirs, (-1.0, 1.0))
    assert_close(errors.detach(), torch.tensor([0.0, -2.0, 0.5, 2.0, 0.0]))
    (slope,) = torch.autograd.grad(errors.square().sum() / 2, ours)
    assert_close(slope, errors.detach())


def test_a_student_that_is_emptier_than_can_be_told_comes_back() -> None:
    teacher, student = Ball(), grid()
    with torch.no_grad():
        student.raw_density.fill_(-40.0)
    lesson = taught(student, teacher)
    (slope,) = torch.autograd.grad(lesson(student, moment(1)).loss.total, student.raw_density)
    assert slope.abs().sum() > 0 and slope.max() <= 0


def test_errors_do_not_depend_on_how_many_points_there_are():
    errors = torch.randn(200, 3)
    assert_close(rms(errors), rms(errors.repeat(7, 1)))
    assert rms(errors[:0]) < 1e-5


def test_a_students_cells_are_its_teachers():
    teacher, student = Ball(), grid()
    taught(student, teacher)
    assert student.occupied.equal(teacher.occupied) and 0 < teacher.occupied.float().mean() < 0.3
    student.look(torch.Generator().manual_seed(0))
    assert not (student.occupied & ~teacher.occupied).any()


FIELDS = {
    "hash_grid": lambda seed: HashGrid.from_photographs(
        NOWHERE, seed=seed, levels=3, log2_entries=8, finest=16
    ),
    "plain_hash_grid": lambda seed: HashGrid.start(seed=seed, levels=3, log2_entries=8, finest=16),
    "mlp": lambda seed: Mlp.from_photographs(NOWHERE, seed=seed, frequencies=2, width=16, layers=2),
    "triplane": lambda seed: Triplane.from_photographs(NOWHERE, seed=seed, resolution=16, width=32),
    "vm": lambda seed: Vm.from_photographs(NOWHERE, seed=seed, resolution=16, colour_rank=4),
}


@pytest.mark.parametrize(("of", "to"), list(itertools.permutations(FIELDS, 2)))
def test_colour_networks_are_inherited_so_that_equal_features_mean_equal_colours(of: str, to: str):
    """Up to what only one of both sees of the density and of the direction."""
    teacher, student = FIELDS[of](1), FIELDS[to](2)
    inherit(student, teacher)
    assert comparable(student, teacher)
    assert_close(student.colour[-1].detach(), teacher.colour[-1].detach())
    known = teacher.colour[0].detach()
    first = student.colour[0].detach()
    skip, own = (int(name != "vm") for name in (of, to))
    assert_close(first[:, own : own + 15], known[:, skip : skip + 15])
    both = student.directional and teacher.directional
    if student.directional:
        expected = known[:, -16:] if both else torch.zeros_like(known[:, -16:])
        assert_close(first[:, -16:], expected)


def test_networks_of_other_sizes_and_grids_are_not_compared():
    teacher = FIELDS["hash_grid"](1)
    wide = HashGrid.from_photographs(NOWHERE, levels=3, log2_entries=8, finest=16, width=16)
    assert not comparable(wide, teacher) and not comparable(grid(), teacher)
    before = [weight.detach().clone() for weight in wide.colour]
    inherit(wide, teacher)
    assert all(a.equal(b) for a, b in zip(before, wide.colour, strict=True))


def test_a_lesson_at_points_is_for_fields():
    from distill3d.representations.gaussians import Gaussians

    with pytest.raises(TypeError, match="given a Gaussians to be taught at points"):
        Volume(Ball(), EVENLY)(Gaussians.start(count=5, limit=5), moment(1))


def test_a_run_goes_on_to_the_same_bits_with_what_was_hardest(tmp_path):
    def run(state=None):
        teacher = Ball()
        student = grid() if state is None else Voxels.from_state(state["student"])
        if state is None:
            inherit(student, teacher)
        else:
            look_into(teacher)
        rays = Hardest(EVENLY)
        return student, learn(student, Volume(teacher, rays, JOINT), steps=60, seed=4, state=state)

    whole, steps = run()
    middle = next(step for step in steps if step.number == 47)
    torch.save(middle.state(), tmp_path / "state.pt")
    losses = [step.loss for step in steps]
    resumed, steps = run(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [step.loss for step in steps] == losses
    assert resumed.raw_density.equal(whole.raw_density)


def test_terms_of_no_weight_pull_at_nothing():
    teacher, student = Ball(), grid()
    lesson = taught(student, teacher, stages=(Stage(1.0, density=1.0),))
    (slope,) = torch.autograd.grad(lesson(student, moment(1)).loss.total, student.base, allow_unused=True)
    assert slope is None or slope.abs().sum() == 0


def test_points_weigh_what_is_seen_of_them():
    teacher, student = Ball(), grid()
    lesson = taught(student, teacher)
    shared = lesson._shared(student, EVENLY.draw(moment(1)), moment(1), student_too=False)
    weights = by_light(shared)
    assert_close(weights.mean(), torch.tensor(1.0))
    empty = shared.samples.points.norm(dim=1) > 0.55
    assert 0 < empty.sum() < len(empty) and weights[empty].max() < 0.1 * weights[~empty].mean()
    assert alike(shared).equal(torch.ones(len(weights)))
