"""`hashgrid` against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.ops import backends
from distill3d.ops._hashgrid_kernels import settings
from distill3d.ops._hashgrid_tinycudann import configuration
from distill3d.ops.hashgrid import HashGrid, hashgrid
from distill3d.ops.hashgrid_layout import levels
from tests.ops.machines import compiled, usable

INCLUDE = Path(__file__).parents[2] / "cuda" / "include"
GRID = HashGrid(levels=5, log2_entries=9, base_resolution=4, growth=1.7)
"""Its coarse levels are dense, its fine ones hashed."""
GRIDS = [
    GRID,
    replace(GRID, dimensions=2, log2_entries=7, features=4),
    replace(GRID, features=1, smooth=True),
    replace(GRID, features=8, levels=2, dimensions=2, smooth=True),
]


@pytest.fixture(params=usable("hashgrid"), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.fixture(params=compiled("hashgrid"), ids=str)
def kernels(request):
    return request.param


def inputs(grid: HashGrid, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Positions, most of them within [0, 1], and a table."""
    generator = torch.Generator().manual_seed(seed)
    positions = torch.rand(count, grid.dimensions, generator=generator)
    positions[::7] = 6 * positions[::7] - 3
    return positions, torch.randn(grid.table_shape, generator=generator)


def gradients(machine, grid: HashGrid, tensors: tuple[Tensor, Tensor], dtype: torch.dtype) -> list[Tensor]:
    leaves = [values.to(dtype).requires_grad_() for values in machine.put(*tensors)]
    with machine.in_use():
        features = hashgrid(*leaves, grid)
    cotangent = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad(features, leaves, cotangent.to(features))
    return [features.detach().cpu(), *[values.cpu() for values in found]]


DEFINITION = usable("hashgrid")[0]


# The layout


def test_the_layout_is_tiny_cuda_nns():
    """Worked out by hand from the rules of its encodings/grid.h for 16 levels of 2^19 entries, growth 2."""
    first = levels(HashGrid(levels=16, log2_entries=19, base_resolution=16, growth=2.0))
    assert [level.scale for level in first[:4]] == [15, 31, 63, 127]
    assert [level.resolution for level in first[:4]] == [16, 32, 64, 128]
    assert [level.entries for level in first[:4]] == [4096, 32768, 262144, 524288]
    assert [level.hashed for level in first[:5]] == [False, False, False, True, True]
    assert [level.first for level in first[:5]] == [0, 4096, 36864, 299008, 823296]
    odd = levels(HashGrid(levels=2, log2_entries=19, base_resolution=5, growth=1.5))
    assert [(level.resolution, level.entries) for level in odd] == [(5, 128), (8, 512)]


def test_settings_that_no_table_can_have_are_refused():
    wrong = {
        "dimensions": 4,
        "features": 3,
        "levels": 0,
        "log2_entries": 30,
        "base_resolution": 0,
        "growth": 0.5,
    }
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=f"{name} {value}; expected"):
            HashGrid(**{name: value})
    with pytest.raises(ValueError, match="lower base_resolution"):
        HashGrid(levels=32, growth=2.0)


# Laws


def test_at_a_corner_stands_its_entry(machine):
    grid = HashGrid(levels=1, base_resolution=9, features=2)
    scale = levels(grid)[0].scale
    _, table = inputs(grid, 1)
    corner = torch.tensor([[3, 5, 2], [8, 1, 7]])
    (features,) = (hashgrid(*machine.put((corner - 0.5) / scale, table), grid).cpu(),)
    assert_close(features, table[corner @ torch.tensor([1, 9, 81])], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("smooth", [False, True])
def test_equal_entries_give_that_value_everywhere_and_no_slope(machine, smooth):
    grid = replace(GRID, smooth=smooth)
    positions, table = machine.put(*inputs(grid, machine.size(500, 40)))
    positions.requires_grad_()
    features = hashgrid(positions, torch.full_like(table, 0.7), grid)
    assert_close(features, torch.full_like(features, 0.7), rtol=1e-5, atol=0)
    (slope,) = torch.autograd.grad(features.sum(), positions)
    assert slope.abs().max() < 1e-3


def test_features_are_linear_in_the_table_and_its_gradient_is_the_adjoint(machine):
    positions, table = machine.put(*inputs(GRID, machine.size(400, 40)))
    table.requires_grad_()
    features = hashgrid(positions, table, GRID)
    cotangent = torch.randn_like(features)
    (gradient,) = torch.autograd.grad(features, table, cotangent)
    assert_close((features * cotangent).sum(), (table * gradient).sum(), rtol=1e-4, atol=1e-3)


def test_points_do_not_know_of_each_other(machine):
    positions, table = machine.put(*inputs(GRID, machine.size(2000, 100)))
    order = torch.randperm(len(positions), generator=torch.Generator().manual_seed(3)).to(positions.device)
    together = hashgrid(positions, table, GRID)
    assert torch.equal(hashgrid(positions[order], table, GRID), together[order])
    assert torch.equal(hashgrid(positions[3:4], table, GRID), together[3:4])


def test_no_points_have_no_features_and_move_nothing(machine):
    _, table = machine.put(*inputs(GRID, 1))
    positions = table.new_empty(0, 3).requires_grad_()
    table.requires_grad_()
    features = hashgrid(positions, table, GRID)
    assert features.shape == (0, GRID.outputs)
    by_positions, by_table = torch.autograd.grad(features.sum(), [positions, table])
    assert by_positions.shape == (0, 3) and by_table.shape == table.shape and (by_table == 0).all()


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf"), 1e30, -2000.0])
def test_a_poisoned_position_has_no_features_and_harms_no_other(machine, poison):
    healthy, table = inputs(GRID, 20)
    positions = healthy.clone()
    positions[5, 1] = poison
    results = gradients(machine, GRID, (positions, table), torch.float32)
    assert (results[0][5] == 0).all() and (results[1][5] == 0).all()
    without = [i for i in range(20) if i != 5]
    alone = gradients(machine, GRID, (healthy, table), torch.float32)
    assert_close(results[0][without], alone[0][without], rtol=0, atol=0)
    assert results[2].isfinite().all()


# The kernels against the definition in float64


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_features_and_gradients_are_those_of_the_definition(kernels, grid):
    tensors = inputs(grid, kernels.size(3001, 101))
    ours = gradients(kernels, grid, tensors, torch.float32)
    exact = gradients(DEFINITION, grid, tensors, torch.float64)
    assert_close(ours[0].double(), exact[0], rtol=0, atol=1e-4)
    for a, b in zip(ours, exact, strict=True):
        assert (a - b).norm() <= 1e-4 * b.norm()


def test_gradients_of_many_points_in_one_cell_are_those_of_the_definition(kernels):
    """As along a ray, where neighbours are added up before they reach the table."""
    _, table = inputs(GRID, 1)
    along = torch.linspace(0, 0.4, kernels.size(1000, 150))[:, None]
    positions = torch.tensor([0.2, 0.3, 0.1]) + along * torch.tensor([0.9, 0.7, 1.2])
    ours = gradients(kernels, GRID, (positions, table), torch.float32)
    exact = gradients(DEFINITION, GRID, (positions, table), torch.float64)
    assert (ours[2] - exact[2]).norm() <= 1e-4 * exact[2].norm()


def test_one_gradient_can_be_had_without_the_other(kernels):
    positions, table = kernels.put(*inputs(GRID, 50))
    with kernels.in_use():
        both = hashgrid(positions.requires_grad_(), table.requires_grad_(), GRID).square().sum()
        alone = hashgrid(positions, table.detach(), GRID).square().sum()
    by_positions, _ = torch.autograd.grad(both, [positions, table])
    assert torch.equal(torch.autograd.grad(alone, positions)[0], by_positions)


@pytest.mark.parametrize("grid", GRIDS[1:3], ids=str)
def test_the_definitions_own_gradient_is_its_derivative_also_twice(grid):
    grid = replace(grid, levels=2, log2_entries=4, base_resolution=2)
    positions, table = (values.double().requires_grad_() for values in inputs(grid, 3))

    def encoded(x: Tensor, y: Tensor) -> Tensor:
        with backends.use("reference"):
            return hashgrid(x, y, grid)

    assert torch.autograd.gradcheck(encoded, (positions, table), eps=1e-7, atol=1e-4)
    assert torch.autograd.gradgradcheck(encoded, (positions, table), eps=1e-7, atol=1e-3)


def test_the_headers_gradients_in_double_are_derivatives(tmp_path):
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    program, source = tmp_path / "gradients", Path(__file__).parent / "hashgrid_gradients.cpp"
    subprocess.run(
        [compiler, "-std=c++17", "-O1", "-Wno-psabi", f"-I{INCLUDE}", source, "-o", program], check=True
    )
    result = subprocess.run([program], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert "compared 360 derivatives" in result.stdout


# The operator


def test_any_number_of_threads_gives_the_same_bits():
    tensors, threads = inputs(GRID, 5000), torch.get_num_threads()
    (cpu,) = [machine for machine in compiled("hashgrid") if machine.backend == "cpu"]
    try:
        found = []
        for count in (1, 2, 7):
            torch.set_num_threads(count)
            found.append(gradients(cpu, GRID, tensors, torch.float32))
    finally:
        torch.set_num_threads(threads)
    for one, two, seven in zip(*found, strict=True):
        assert torch.equal(one, two) and torch.equal(one, seven)


def test_the_operator_keeps_torchs_contracts(kernels):
    leaves = [values.requires_grad_() for values in kernels.put(*inputs(GRID, 12))]
    torch.library.opcheck(
        torch.ops.distill3d.hashgrid.default,
        (kernels.backend, *leaves, *settings(GRID)),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_inputs_need_not_be_contiguous(machine):
    positions, table = machine.put(*inputs(GRID, 30))
    strided = [torch.stack([values, values], -1)[..., 0] for values in (positions, table)]
    assert not strided[0].is_contiguous()
    assert torch.equal(hashgrid(*strided, GRID), hashgrid(positions, table, GRID))


def test_a_table_may_lie_anywhere_in_memory(machine):
    positions, table = machine.put(*inputs(GRID, 30))
    shifted = torch.cat([table.new_zeros(1), table.flatten()])[1:].reshape(table.shape)
    assert shifted.data_ptr() % 16 != 0
    assert torch.equal(hashgrid(positions, shifted, GRID), hashgrid(positions, table, GRID))


def test_a_gradient_of_the_gradient_is_refused_not_forgotten(kernels):
    positions, table = kernels.put(*inputs(GRID, 8))
    with kernels.in_use():
        features = hashgrid(positions.requires_grad_(), table.requires_grad_(), GRID)
    (slope,) = torch.autograd.grad(features.sum(), positions, create_graph=True)
    with pytest.raises(RuntimeError):
        slope.square().sum().backward()


# Errors


def test_other_float_types_are_refused_by_name(kernels):
    positions, table = kernels.put(*inputs(GRID, 3))
    with kernels.in_use(), pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        hashgrid(positions.double(), table.double(), GRID)


def test_shapes_that_do_not_agree_are_refused():
    positions, table = inputs(GRID, 3)
    with pytest.raises(ValueError, match=r"positions \(3, 2\), expected \(any number, 3\)"):
        hashgrid(positions[:, :2], table, GRID)
    with pytest.raises(ValueError, match=r"a table \(.*expected .*table_shape"):
        hashgrid(positions, table[1:], GRID)


# The adapter


def test_tinycudann_says_why_it_cannot_be_used():
    if backends.why_not("tinycudann") is None:
        pytest.skip("it can be")
    with backends.use("tinycudann"), pytest.raises((RuntimeError, ValueError), match="tinycudann"):
        hashgrid(*inputs(GRID, 3), GRID)
    assert "tinycudann" in str(backends.why_not("tinycudann"))


def test_the_grid_is_put_in_tinycudanns_words():
    words = configuration(replace(GRID, smooth=True))
    assert words["otype"] == "Grid" and words["type"] == "Hash" and words["interpolation"] == "Smoothstep"
    assert words["per_level_scale"] == GRID.growth and words["log2_hashmap_size"] == GRID.log2_entries
