"""Sampled grids against their laws and their definitions; one body for every backend that is usable."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.ops import backends, grids
from distill3d.ops._grids_kernels import _sample
from tests.ops.machines import compiled, usable

PREFIX = "d3d_grid_"


@pytest.fixture(params=usable("grids", PREFIX), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.fixture(params=compiled("grids", PREFIX), ids=str)
def kernels(request):
    with request.param.in_use():
        yield request.param


KINDS: dict[str, tuple[Callable[..., Tensor], Callable[[int, int], list[tuple[int, ...]]]]] = {
    "voxels": (grids.voxels, lambda n, c: [(n + 2, n + 1, n, c)]),
    "triplane": (grids.triplane, lambda n, c: [(3, n, n, c)]),
    "vm": (grids.vm, lambda n, c: [(3, n, n, c), (3, n, c)]),
}


def tables(kind: str, size: int, channels: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = KINDS[kind][1](size, channels)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def points(count: int, reach: float = 1.2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return reach * (2 * torch.rand(count, 3, generator=generator) - 1)


def gradients(kind: str, inputs: list[Tensor]) -> list[Tensor]:
    """The features, and the gradients of all inputs under a random cotangent."""
    leaves = [values.detach().requires_grad_() for values in inputs]
    result = KINDS[kind][0](*leaves)
    cotangent = torch.randn(result.shape, generator=torch.Generator().manual_seed(2)).to(result)
    return [result.detach(), *torch.autograd.grad(result, leaves, cotangent)]


# Laws


def test_voxels_repeat_what_is_linear(machine):
    z, y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in (5, 4, 3)), indexing="ij")
    table, at = machine.put(torch.stack([x + 2 * y - 3 * z, 0.5 + z], -1), points(50, 1.0))
    expected = torch.stack([at @ at.new_tensor([1.0, 2, -3]), 0.5 + at[:, 2]], 1)
    assert_close(grids.voxels(table, at), expected, rtol=0, atol=2e-6)


def test_voxels_agree_with_torchs_grid_sample():
    (table,), at = tables("voxels", 6, 3), points(80)
    theirs = torch.nn.functional.grid_sample(
        table.permute(3, 0, 1, 2)[None], at[None, None, None], align_corners=True, padding_mode="border"
    )
    assert_close(grids.voxels(table, at), theirs[0, :, 0, 0].T, rtol=1e-5, atol=1e-5)


def test_planes_and_lines_stand_where_their_names_say(machine):
    line = torch.linspace(-1, 1, 5)
    planes = torch.zeros(3, 5, 5, 1)
    for plane, weight in enumerate((1.0, 10.0, 100.0)):
        planes[plane, :, :, 0] = weight * (line + 3 * line[:, None])
    planes, at = machine.put(planes, points(40, 1.0))
    x, y, z = at.unbind(1)
    across_down = [x + 3 * y, 10 * (x + 3 * z), 100 * (y + 3 * z)]
    assert_close(grids.triplane(planes, at)[:, 0], sum(across_down), rtol=0, atol=2e-4)
    lines = line.to(at.device).expand(3, 5)[..., None]
    products = torch.stack([p * along for p, along in zip(across_down, (z, y, x), strict=True)], 1)
    assert_close(grids.vm(planes, lines, at), products, rtol=0, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_linear_in_the_table_and_its_gradient_is_the_adjoint(machine, kind):
    inputs = machine.put(*tables(kind, 5, 4), points(60))
    result, by_table, *_ = gradients(kind, inputs)
    cotangent = torch.randn(result.shape, generator=torch.Generator().manual_seed(2)).to(result)
    assert_close((result * cotangent).sum(), (inputs[0] * by_table).sum(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_points_outside_are_moved_to_the_border(machine, kind):
    *grid, outside = machine.put(*tables(kind, 4, 3), torch.tensor([[4.0, -7, 0.3], [math.inf, 0, 0]]))
    inside = outside.clamp(-1, 1)
    assert_close(KINDS[kind][0](*grid, outside), KINDS[kind][0](*grid, inside))
    by_points = gradients(kind, [*grid, outside])[-1]
    assert (by_points[0, :2] == 0).all() and by_points[1, 0] == 0 and by_points.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_that_is_not_a_number_harms_no_other(machine, kind):
    *grid, at = machine.put(*tables(kind, 4, 3), points(9))
    poisoned = at.clone()
    poisoned[4] = math.nan
    assert_close(KINDS[kind][0](*grid, poisoned)[5:], KINDS[kind][0](*grid, at)[5:])
    for gradient in gradients(kind, [*grid, poisoned]):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "channels"), [(0, 3), (5, 0)])
def test_no_points_and_no_channels_are_no_trouble(machine, kind, count, channels):
    result, *by = gradients(kind, machine.put(*tables(kind, 3, channels), points(count)))
    assert result.shape == (count, channels * (3 if kind == "vm" else 1))
    assert all(not gradient.any() for gradient in by)


# The kernels against the definition in float64


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3, 4, 5, 8, 16, 19, 70])
@pytest.mark.parametrize("size", [2, 9])
def test_features_and_gradients_are_those_of_the_definition(kernels, kind, channels, size):
    inputs = [*tables(kind, size, channels), points(kernels.size(500, 40))]
    ours = gradients(kind, kernels.put(*inputs))
    with backends.use("reference"):
        exact = gradients(kind, [values.double() for values in inputs])
    for a, b in zip(ours, exact, strict=True):
        assert (a.cpu() - b).norm() <= 1e-5 * b.norm()


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_the_gradients_can_be_asked_for(kernels, kind):
    inputs = kernels.put(*tables(kind, 5, 4), points(30))
    everything = gradients(kind, inputs)[1:]
    for wanted in range(len(inputs)):
        leaves = [values.requires_grad_(i == wanted) for i, values in enumerate(t.detach() for t in inputs)]
        result = KINDS[kind][0](*leaves)
        cotangent = torch.randn(result.shape, generator=torch.Generator().manual_seed(2)).to(result)
        (gradient,) = torch.autograd.grad(result, leaves[wanted], cotangent)
        assert_close(gradient, everything[wanted], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_definitions_own_gradient_is_its_derivative(kind):
    inputs = [t.requires_grad_() for t in tables(kind, 3, 2, torch.float64)]
    with backends.use("reference"):
        assert torch.autograd.gradcheck(KINDS[kind][0], [*inputs, points(6).double().requires_grad_()])


# The operator


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_threads_gives_the_same_bits(kind):
    inputs = [*tables(kind, 12, 5), points(5000)]
    threads = torch.get_num_threads()
    first = gradients(kind, inputs)
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        second = gradients(kind, inputs)
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_operator_keeps_torchs_contracts(kind):
    *grid, at = [values.requires_grad_() for values in (*tables(kind, 3, 2), points(4))]
    lines = grid[1] if len(grid) == 2 else None
    tests = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    torch.library.opcheck(_sample, ("cpu", list(KINDS).index(kind), grid[0], lines, at), test_utils=tests)


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_need_not_be_contiguous(kernels, kind):
    inputs = kernels.put(*tables(kind, 4, 3), points(10))
    strided = [torch.stack([values, values], -1)[..., 0] for values in inputs]
    assert torch.equal(KINDS[kind][0](*strided), KINDS[kind][0](*inputs))


# Errors


def test_tables_and_points_of_wrong_shape_are_refused_with_a_sentence():
    good = points(4)
    with pytest.raises((ValueError, TypeError), match="points"):
        grids.voxels(torch.zeros(3, 3, 3, 1), good[:, :2])
    with pytest.raises(ValueError, match="2 or more"):
        grids.voxels(torch.zeros(3, 1, 3, 1), good)
    with pytest.raises((ValueError, TypeError), match="planes"):
        grids.triplane(torch.zeros(3, 3, 4, 1), good)
    with pytest.raises((ValueError, TypeError), match="lines"):
        grids.vm(torch.zeros(3, 3, 3, 1), torch.zeros(3, 4, 1), good)


def test_other_float_types_are_refused_by_name():
    with pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        grids.voxels(torch.zeros(3, 3, 3, 1).double(), points(2).double())
