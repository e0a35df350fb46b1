"""The loop: it improves, repeats itself, goes on bit for bit, and gives up with a sentence."""

import itertools

import pytest
import torch

from distill3d.distill import SMALLEST, Collapsed, Loss, distill, resolution
from distill3d.objectives.esd import ESD
from distill3d.priors.blob import Blob
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.representations.voxels import Voxels
from distill3d.rig import Rig
from distill3d.teachers.score import Score

STARTS = {
    "voxels": lambda: Voxels.start(resolution=8, samples=8),
    "gaussians": lambda: Gaussians.start(count=60, limit=120),
    "surfels": lambda: Surfels.start(count=60, limit=120),
}


def run(kind, *, steps=20, state=None, seed=0):
    student = STARTS[kind]() if state is None else type(STARTS[kind]()).from_state(state["student"])
    teacher = Score(Blob(), ESD(entropy=0.5, memory=6), "anything")
    return student, distill(
        student, teacher, steps=steps, rig=Rig(), views=2, size=12, seed=seed, state=state
    )


@pytest.mark.parametrize("kind", STARTS)
def test_a_run_taken_up_from_a_checkpoint_ends_bit_for_bit_the_same(kind, tmp_path):
    whole, steps = run(kind)
    losses = [step.loss for step in steps]
    _, steps = run(kind)
    half = list(itertools.islice(steps, 9))[-1]
    torch.save(half.state(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed, steps = run(kind, state=state)
    assert [step.loss for step in steps] == losses[9:]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_seed_decides():
    losses = [[step.loss for step in run("voxels", steps=3, seed=seed)[1]] for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_a_scene_learns_the_colour_of_a_blob():
    _, steps = run("voxels", steps=150)
    middles = [step.rendering.over((1.0, 1.0, 1.0))[:, 4:8, 4:8].mean((0, 1, 2)) for step in steps]
    target = torch.tensor([0.8, 0.2, 0.2])
    assert (middles[-1] - target).norm() < 0.25 * (middles[0] - target).norm()


class Whatever:
    """A teacher that answers with what it is told to."""

    def __init__(self, loss):
        self.loss = loss

    def __call__(self, cameras, rendering, moment):
        return Loss(self.loss(rendering))

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def test_a_loss_that_is_not_a_number_stops_the_run():
    steps = distill(
        STARTS["voxels"](), Whatever(lambda r: r.rgb.sum() * float("nan")), steps=5, rig=Rig(), size=8
    )
    with pytest.raises(Collapsed, match="nan at step 1"):
        list(steps)


def test_a_scene_that_vanishes_stops_the_run():
    student = STARTS["voxels"]()
    with torch.no_grad():
        student.raw_density.fill_(-50)
    steps = distill(student, Whatever(lambda r: r.rgb.sum()), steps=200, rig=Rig(), size=8)
    with pytest.raises(Collapsed, match="empty for 25 steps"):
        list(steps)


def test_learning_rates_glide_by_equal_factors_to_their_last_value():
    student = STARTS["voxels"]()
    steps = distill(student, Whatever(lambda r: r.rgb.sum()), steps=7, rig=Rig(), size=8)
    rates = [[g["lr"] for g in step.state()["optimizer"]["param_groups"]] for step in steps]
    first, last = ([g[name] for g in student.param_groups()] for name in ("lr", "lr_final"))
    assert rates[0] == pytest.approx(first) and rates[-1] == pytest.approx(last)
    assert rates[3] == pytest.approx([(a * b) ** 0.5 for a, b in zip(first, last, strict=True)])
    assert first != last


def test_what_a_student_penalises_itself_for_is_added_to_the_loss_once():
    class Penitent(Voxels):
        def penalty(self, cameras, rendering, moment):
            return 3.0 + 0 * self.raw_density.sum()

    student = Penitent.start(resolution=8, samples=8)
    (step,) = distill(student, Whatever(lambda r: 0 * r.rgb.sum() + 2), steps=1, rig=Rig(), size=8)
    assert step.loss == pytest.approx(5.0)


@pytest.mark.parametrize("size", [8, 32, 40, 96, 256])
def test_pictures_grow_to_their_size_and_are_small_only_when_asked(size):
    sides = [resolution(size, i / 100) for i in range(101)]
    assert sides == sorted(sides) and sides[-1] == size
    assert sides[0] == max(size // 4, min(size, SMALLEST))
    assert size // 2 in sides or size // 2 < SMALLEST


def test_the_pictures_of_a_run_have_the_sides_of_their_progress():
    seen = []

    class Watching(Whatever):
        def __call__(self, cameras, rendering, moment):
            seen.append((cameras.width, cameras.height, rendering.rgb.shape[1], moment.progress))
            return super().__call__(cameras, rendering, moment)

    teacher = Watching(lambda r: r.rgb.sum())
    list(distill(STARTS["voxels"](), teacher, steps=11, rig=Rig(), views=1, size=66))
    assert [side for side, *_ in seen] == [resolution(66, progress) for *_, progress in seen]
    assert all(width == height == rows for width, height, rows, _ in seen)
    assert {side for side, *_ in seen} == {32, 33, 66}


def test_gaussians_that_are_all_pruned_stop_the_run_with_a_sentence():
    student = Gaussians.start(count=50, limit=100, opacity=1e-6)
    steps = distill(student, Score(Blob(), ESD(), "it"), steps=40, rig=Rig(), views=2, size=12)
    with pytest.raises(Collapsed, match="empty for 25 steps"):
        list(steps)
    assert len(student.means) == 0
