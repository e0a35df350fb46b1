"""How Gaussians and surfels start and learn from photographs; a rest in between changes no bit of it."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from distill3d.camera import turntable
from distill3d.data.photographs import Photographs
from distill3d.distill import distill
from distill3d.representations import _starts
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.scene import Seen
from distill3d.teachers.images import Images

KINDS = [Gaussians, Surfels]


def photographs(size=16):
    """Of six coloured blobs, from around."""
    truth = Gaussians.start(count=6, limit=6, radius=0.5, opacity=0.9, seed=3)
    with torch.no_grad():
        truth.sh += torch.rand(6, 1, 3, generator=torch.Generator().manual_seed(0)) * 3 - 1.5
        seen = truth.render(turntable(8, width=size, height=size))
    rgba = (torch.cat([seen.rgb, seen.alpha], -1).clamp(0, 1) * 255).round().to(torch.uint8)
    believed = torch.full_like(rgba[..., :1], 255)
    return Photographs(turntable(8, width=size, height=size), rgba, believed)


def run(kind, densify, *, state=None, steps=30):
    taken = photographs()
    start = {"count": 40, "limit": 60, "densify": densify}
    student = kind.from_photographs(Seen(taken.cameras), **start)
    if state is not None:
        student = kind.from_state(state["student"])
    teacher = Images(taken)
    return student, distill(student, teacher, steps=steps, rig=teacher, views=1, size=16, state=state)


@pytest.mark.parametrize("densify", ["default", "mcmc"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_taken_up_from_a_checkpoint_ends_bit_for_bit_the_same(kind, densify, tmp_path):
    whole, steps = run(kind, densify)
    losses = [step.loss for step in steps]
    assert len(whole.means) > 40 and whole.sh.shape[1] == 16
    for rest in (2, 14):
        _, steps = run(kind, densify)
        torch.save(list(itertools.islice(steps, rest))[-1].state(), tmp_path / "state.pt")
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        resumed, steps = run(kind, densify, state=state)
        assert [step.loss for step in steps] == losses[rest:]
        for name, value in whole.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[name]), name


def test_colours_come_to_their_degree_in_the_first_tenth_and_begin_without_a_jump():
    scene = Gaussians.from_photographs(Seen(turntable(2, width=8, height=8)), count=10, degree=2)
    optimizer = torch.optim.Adam(scene.param_groups())
    scene.render(turntable(2, width=8, height=8)).rgb.sum().backward()
    optimizer.step()
    terms = []
    with torch.no_grad():
        before = scene.render(turntable(2, width=8, height=8)).rgb
        for step in range(1, 13):
            scene._raise_degree(step, 90, optimizer)
            terms.append(scene.sh.shape[1])
        after = scene.render(turntable(2, width=8, height=8)).rgb
    assert terms == [1, 1, 4, 4, 4, 9, 9, 9, 9, 9, 9, 9]
    assert_close(before, after)
    moments = optimizer.state[scene.sh]["exp_avg"]
    assert moments.shape == scene.sh.shape and (moments[:, 1:] == 0).all() and (moments[:, :1] != 0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_starts_at_the_points_that_are_known(kind):
    generator = torch.Generator().manual_seed(0)
    points, colours = torch.randn(150, 3, generator=generator), torch.rand(150, 3, generator=generator)
    seen = Seen(turntable(2, width=8, height=8), points, colours)
    scene = kind.from_photographs(seen, count=7)
    assert torch.equal(scene.means, points)
    assert_close(0.5 + scene.sh[:, 0] * 0.28209479, colours)
    fewer = kind.from_photographs(seen, limit=120)
    assert len(fewer.means) == 120
    rows = (fewer.means[:, None] == points).all(-1)
    assert (rows.sum(1) == 1).all() and (rows.sum(0) <= 1).all()
    few = kind.from_photographs(Seen(seen.cameras, points[:9], colours[:9]), count=7)
    assert len(few.means) == 7 and few.means.norm(dim=-1).max() <= 0.8


def test_the_spacing_of_a_lattice_is_its_constant_and_scales_with_it():
    line = torch.arange(6.0)
    lattice = torch.cartesian_prod(line, line, line)
    assert_close(_starts.spacing(0.3 * lattice), torch.full((216,), 0.3))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_few_points_have_a_spacing_too_and_so_have_those_that_coincide(count):
    spacing = _starts.spacing(torch.zeros(count, 3))
    assert spacing.shape == (count,) and (spacing > 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"limit": 0}, {"degree": 4}, {"opacity": 1.0}, {"radius": 1.5}]
)
def test_a_start_that_cannot_be_is_refused_with_a_sentence(kind, wrong):
    with pytest.raises(ValueError, match=r"cannot start with .*expected"):
        kind.from_photographs(Seen(turntable(2, width=8, height=8)), **wrong)


def test_photographs_have_their_own_rates_and_no_wish_for_opacity():
    camera = turntable(1, width=8, height=8)
    fitted, distilled = Gaussians.from_photographs(Seen(camera), count=9), Gaussians.start(count=9)
    rates = [{g["name"]: g["lr"] for g in scene.param_groups()} for scene in (fitted, distilled)]
    assert rates[0]["means"] < rates[1]["means"] and rates[0].keys() == rates[1].keys()
