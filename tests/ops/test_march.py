"""`march` against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.camera import orbit
from distill3d.ops import backends
from distill3d.ops._march_kernels import _march
from distill3d.ops.march import Samples, march
from tests.ops.machines import compiled, usable


@pytest.fixture(params=usable("march"), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.fixture(params=compiled("march"), ids=str)
def kernels(request):
    with request.param.in_use():
        yield request.param


def rays(side: int = 12, views: int = 2) -> tuple[Tensor, Tensor]:
    cameras = orbit(torch.arange(float(views)) * 1.9 + 0.3, 0.4, width=side, height=side)
    origins, directions = cameras.rays()
    return origins.reshape(-1, 3), directions.reshape(-1, 3)


def grid(levels: int = 1, cells: int = 8, share: float = 0.2) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(levels, cells, cells, cells, generator=generator) < share


def lengths(samples: Samples) -> Tensor:
    return samples.ends - samples.starts


def filled(cells: int = 8) -> Tensor:
    return torch.ones(1, cells, cells, cells, dtype=torch.bool)


# Laws


def test_a_full_grid_gives_the_whole_way_through_the_box(machine):
    origins, directions = machine.put(torch.tensor([[-3.0, 0.2, 0.1]]), torch.tensor([[2.0, 0, 0]]))
    samples = march(origins, directions, *machine.put(filled()), step=0.3)
    assert_close(samples.starts[0].cpu(), torch.tensor(1.0))
    assert_close(samples.ends[-1].cpu(), torch.tensor(2.0))
    assert_close(samples.starts[1:], samples.ends[:-1])
    assert_close(lengths(samples)[:-1].cpu(), torch.full((6,), 0.15))
    assert samples.offsets.tolist() == [0, 7] and samples.needed.tolist() == [7]
    assert_close(samples.points[:, 1:].cpu(), torch.tensor([[0.2, 0.1]]).expand(7, 2))


def test_samples_are_in_occupied_cells_and_in_order(machine):
    origins, directions, occupied = machine.put(*rays(machine.size(12, 4)), grid())
    samples = march(origins, directions, occupied, step=0.05)
    x, y, z = ((samples.points + 1) * 4).long().clamp(0, 7).unbind(1)
    assert occupied[0, z, y, x].all() and len(samples.starts) > 20
    middles = 0.5 * (samples.starts + samples.ends)
    chosen = samples.rays.long()
    assert_close(samples.points, origins[chosen] + middles[:, None] * directions[chosen])
    same_ray = samples.rays[1:] == samples.rays[:-1]
    assert (samples.starts[1:] >= samples.ends[:-1] - 1e-5)[same_ray].all()
    assert torch.equal(samples.rays.bincount(minlength=len(origins)), samples.offsets.diff())


def test_near_far_and_jitter_bound_the_samples(machine):
    origins, directions = machine.put(*rays(4))
    near, far, jitter = (torch.full_like(origins[:, 0], v) for v in (2.5, 3.1, 0.5))
    samples = march(origins, directions, *machine.put(filled()), step=0.1, near=near, far=far, jitter=jitter)
    first = samples.offsets[:-1].long()
    speed = directions.norm(dim=-1)
    assert_close(samples.starts[first], 2.5 + 0.05 / speed)
    assert samples.ends.max() <= 3.1 + 1e-5


def test_stretches_of_a_cone_grow_with_the_distance(machine):
    origins, directions = machine.put(torch.tensor([[-1.0, 0, 0]]), torch.tensor([[1.0, 0, 0]]))
    samples = march(origins, directions, *machine.put(filled()), step=0.01, cone=0.2, longest=0.25)
    expected = (0.2 * samples.starts).clamp(0.01, 0.25)
    assert_close(lengths(samples)[:-1], expected[:-1])


def test_coarser_levels_reach_farther(machine):
    origins, directions = machine.put(torch.tensor([[-9.0, 0.1, 0.1]]), torch.tensor([[1.0, 0, 0]]))
    occupied = torch.zeros(3, 8, 8, 8, dtype=torch.bool)
    occupied[2] = True
    samples = march(origins, directions, *machine.put(occupied), step=0.1)
    distance = samples.points[:, 0].abs()
    assert distance.max() <= 4 and distance.min() >= 2 and len(distance) == 40


def test_a_ray_has_at_most_its_limit(machine):
    origins, directions = machine.put(*rays(4))
    samples = march(origins, directions, *machine.put(filled()), step=0.1, limit=3)
    assert samples.offsets.diff().max() == 3


def test_a_capacity_is_filled_or_says_what_was_needed(machine):
    origins, directions, occupied = machine.put(*rays(4), grid())
    free = march(origins, directions, occupied, step=0.1)
    count = len(free.starts)
    roomy = march(origins, directions, occupied, step=0.1, capacity=count + 5)
    tight = march(origins, directions, occupied, step=0.1, capacity=count - 5)
    for samples, kept in ((roomy, count), (tight, count - 5)):
        assert samples.needed.tolist() == [count] and samples.offsets[-1] == kept
        for name in ("starts", "ends", "points", "rays"):
            assert torch.equal(getattr(samples, name)[:kept], getattr(free, name)[:kept])
    assert (lengths(roomy)[count:] == 0).all() and len(roomy.starts) == count + 5


# Bad input: nothing is found, and nothing else suffers.


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("which", ["origins", "directions", "near"])
def test_a_ray_with_a_number_that_is_not_finite_has_no_samples(machine, which, value):
    origins, directions = rays(3, 1)
    inputs = {"origins": origins, "directions": directions, "near": torch.zeros(len(origins))}
    occupied = filled(4)
    clean = march(
        **dict(zip(inputs, machine.put(*inputs.values()), strict=True)), occupied=occupied, step=0.2
    )
    inputs[which] = inputs[which].clone()
    inputs[which][4] = value
    poisoned = march(
        **dict(zip(inputs, machine.put(*inputs.values()), strict=True)), occupied=occupied, step=0.2
    )
    counts, expected = poisoned.offsets.diff(), clean.offsets.diff()
    assert counts[4] == 0
    counts[4] = expected[4]
    assert torch.equal(counts, expected)


def test_rays_that_stand_or_miss_have_no_samples(machine):
    origins = torch.tensor([[0.0, 0, 0], [5.0, 0, 0], [0, 5.0, 0]])
    directions = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]])
    samples = march(*machine.put(origins, directions, filled()), step=0.1)
    assert len(samples.starts) == 0 and samples.offsets.tolist() == [0, 0, 0, 0]


def test_no_rays_and_a_ray_from_inside(machine):
    empty = march(*machine.put(torch.zeros(0, 3), torch.zeros(0, 3), filled()), step=0.1)
    assert len(empty.starts) == 0 and empty.offsets.tolist() == [0]
    inside = march(*machine.put(torch.zeros(1, 3), torch.tensor([[0, 0, -1.0]]), filled()), step=0.25)
    assert_close(inside.starts.cpu(), torch.arange(4) * 0.25)


# The kernels against the definition


def in_definition(inputs: list[Tensor], occupied: Tensor, **options) -> Samples:
    with backends.use("reference"):
        return march(*inputs, occupied, **options)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("cone", [0.0, 0.02])
@pytest.mark.parametrize("jittered", [False, True])
def test_samples_are_those_of_the_definition(kernels, levels, cone, jittered):
    origins, directions = rays(kernels.size(24, 5))
    jitter = torch.rand(len(origins), generator=torch.Generator().manual_seed(1)) if jittered else None
    options = {"step": 0.04, "cone": cone, "extent": 1 / levels}
    occupied = grid(levels)
    exact = in_definition([origins.double(), directions.double()], occupied, **options, jitter=jitter)
    moved = None if jitter is None else kernels.put(jitter)[0]
    ours = march(*kernels.put(origins, directions, occupied), **options, jitter=moved)
    # A middle on the wall of a cell may fall on either side of it in float32.
    same = ours.offsets.diff().cpu() == exact.offsets.diff()
    assert same.float().mean() > 0.99
    mine, theirs = same[ours.rays.long().cpu()], same[exact.rays.long()]
    assert_close(ours.starts.cpu()[mine].double(), exact.starts[theirs], rtol=0, atol=2e-6)
    assert_close(ours.ends.cpu()[mine].double(), exact.ends[theirs], rtol=0, atol=2e-6)
    assert_close(ours.points.cpu()[mine].double(), exact.points[theirs], rtol=0, atol=4e-6)


# The operator


def test_any_number_of_threads_gives_the_same_bits():
    inputs = (*rays(30), grid())
    threads = torch.get_num_threads()
    first = march(*inputs, step=0.05)
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        second = march(*inputs, step=0.05)
    finally:
        torch.set_num_threads(threads)
    for name in ("starts", "ends", "points", "rays", "offsets"):
        assert torch.equal(getattr(first, name), getattr(second, name))


def test_inputs_need_not_be_contiguous(kernels):
    origins, directions = kernels.put(*rays(3))
    occupied = kernels.put(grid(cells=4))[0]
    strided = march(origins.T.contiguous().T, directions.T.contiguous().T, occupied, step=0.2)
    assert torch.equal(strided.points, march(origins, directions, occupied, step=0.2).points)


@pytest.mark.parametrize("capacity", [None, 50])
def test_the_operator_keeps_torchs_contracts(capacity):
    origins, directions = rays(3)
    zeros, ones = torch.zeros(len(origins)), torch.full((len(origins),), 9.0)
    arguments = ("cpu", origins, directions, zeros, ones, zeros, grid(), 0.1, 0.0, 1.0, 1.0, 100, capacity)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(_march, arguments, test_utils=tests)


# Errors


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"directions": torch.zeros(4, 3)}, "directions"),
        ({"near": torch.zeros(4)}, "near"),
        ({"occupied": torch.zeros(1, 4, 4, 5, dtype=torch.bool)}, "occupied"),
        ({"occupied": torch.zeros(1, 4, 4, 4)}, r"torch.bool|occupied"),
        ({"occupied": torch.zeros(2, 6, 6, 6, dtype=torch.bool)}, "multiple of 4"),
        ({"step": 0.0}, "step"),
        ({"step": math.nan}, "step"),
        ({"longest": 0.01}, "longest"),
        ({"cone": -1.0}, "cone"),
        ({"limit": 0}, "limit"),
        ({"capacity": -1}, "capacity"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(change, sentence):
    origins, directions = rays(2, 1)
    arguments = {"origins": origins[:3], "directions": directions[:3], "occupied": filled(), "step": 0.1}
    with pytest.raises((ValueError, TypeError), match=sentence):
        march(**{**arguments, **change})


def test_other_float_types_are_refused_by_name():
    origins, directions = rays(2, 1)
    with pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        march(origins.double(), directions.double(), filled(), step=0.1)


def test_nerfacc_says_why_it_is_unusable():
    if backends.why_not("nerfacc") is None:
        pytest.skip("nerfacc is usable here")
    with (
        backends.use("nerfacc"),
        pytest.raises((RuntimeError, ValueError), match=r"nerfacc (is not installed|computes|backend)"),
    ):
        march(*rays(2, 1), filled(), step=0.1)
