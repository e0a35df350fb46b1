"""`mlp` and `hashgrid_mlp` against their laws and definitions; one body for every backend that is usable."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.ops._hashgrid_kernels import settings
from distill3d.ops.hashgrid import HashGrid, hashgrid
from distill3d.ops.mlp import Activation, hashgrid_mlp, mlp
from tests.ops.machines import compiled, usable

SHAPES = {
    "as in radiance fields": (16, 64, 64, 4),
    "one layer": (5, 7),
    "widths that fit no vector": (3, 17, 33, 1),
    "the widest": (64, 128, 128, 128, 128, 16),
    "narrow": (32, 16, 16, 3),
}
GRID = HashGrid(levels=4, log2_entries=8, base_resolution=4, growth=1.6)
NETWORK = (GRID.outputs, 32, 32, 5)


@pytest.fixture(params=usable("mlp"), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.fixture(params=compiled("mlp"), ids=str)
def kernels(request):
    return request.param


DEFINITION = usable("mlp")[0]


def network(sizes: tuple[int, ...], *, biased: bool = True, seed: int = 0) -> list[Tensor]:
    """Weights of all layers, then their biases if there are any."""
    generator = torch.Generator().manual_seed(seed)
    layers = list(pairwise(sizes))
    weights = [torch.randn(outputs, inputs, generator=generator) / inputs**0.5 for inputs, outputs in layers]
    return weights + [0.3 * torch.randn(n, generator=generator) for _, n in layers] * biased


def rows(count: int, width: int, seed: int = 5) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def results(machine, sizes, inputs: Tensor, parameters: list[Tensor], activation, dtype) -> list[Tensor]:
    """Outputs, and the gradients of inputs and parameters under a random cotangent."""
    leaves = [values.to(dtype).requires_grad_() for values in machine.put(inputs, *parameters)]
    layers = len(sizes) - 1
    with machine.in_use():
        outputs = mlp(leaves[0], leaves[1 : 1 + layers], leaves[1 + layers :], activation)
    cotangent = rows(*outputs.shape, seed=1).to(outputs)
    found = torch.autograd.grad(outputs, leaves, cotangent)
    return [outputs.detach().cpu(), *[values.cpu() for values in found]]


# Laws


def test_one_layer_is_a_matrix_product(machine):
    weight, bias = network((5, 7))
    inputs = rows(machine.size(130, 20), 5)
    outputs = mlp(machine.put(inputs)[0], machine.put(weight), machine.put(bias))
    assert_close(outputs.cpu(), inputs @ weight.T + bias, rtol=1e-5, atol=1e-5)


def test_without_activation_layers_multiply(machine):
    first, second = network((6, 20, 3), biased=False)
    inputs = rows(machine.size(99, 20), 6)
    outputs = mlp(machine.put(inputs)[0], machine.put(first, second), (), Activation.NONE)
    assert_close(outputs.cpu(), inputs @ (second @ first).T, rtol=1e-4, atol=1e-5)


def test_relu_is_homogeneous(machine):
    parameters = machine.put(*network((6, 32, 32, 3), biased=False))
    (inputs,) = machine.put(rows(machine.size(100, 20), 6))
    assert_close(mlp(4 * inputs, parameters), 4 * mlp(inputs, parameters), rtol=1e-4, atol=1e-5)


def test_softplus_neither_overflows_nor_vanishes(machine):
    one = torch.ones(1, 1)
    inputs = torch.tensor([[-1e4], [-80.0], [-20.0], [-1.0], [0.0], [1e-3], [3.0], [90.0], [1e5]])
    outputs = mlp(*machine.put(inputs), machine.put(one, one), (), Activation.SOFTPLUS).cpu()
    assert_close(outputs, torch.nn.functional.softplus(inputs.double()).float(), rtol=2e-6, atol=1e-30)


def test_points_do_not_know_of_each_other(machine):
    parameters = machine.put(*network((16, 64, 64, 4), biased=False))
    (inputs,) = machine.put(rows(machine.size(1500, 70), 16))
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(3)).to(inputs.device)
    together = mlp(inputs, parameters)
    assert_close(mlp(inputs[order], parameters), together[order], rtol=1e-6, atol=1e-6)


def test_no_points_give_no_outputs_and_move_nothing(machine):
    parameters = [values.requires_grad_() for values in machine.put(*network((6, 16, 3)))]
    inputs = parameters[0].new_empty(0, 6).requires_grad_()
    outputs = mlp(inputs, parameters[:2], parameters[2:])
    assert outputs.shape == (0, 3)
    for gradient in torch.autograd.grad(outputs.sum(), [inputs, *parameters]):
        assert gradient.numel() == 0 or gradient.abs().max() == 0


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("activation", Activation)
def test_a_poisoned_point_is_seen_and_harms_no_other_output(machine, poison, activation):
    parameters = machine.put(*network((6, 16, 16, 3)))
    (inputs,) = machine.put(rows(30, 6))
    healthy = mlp(inputs, parameters[:3], parameters[3:], activation)
    inputs[4, 2] = poison
    outputs = mlp(inputs, parameters[:3], parameters[3:], activation)
    assert not outputs[4].isfinite().any()
    others = [i for i in range(30) if i != 4]
    assert_close(outputs[others], healthy[others])


# The kernels against the definition in float64


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize("biased", [False, True])
def test_outputs_and_gradients_are_those_of_the_definition(kernels, shape, activation, biased):
    sizes = SHAPES[shape]
    given = (sizes, rows(kernels.size(1003, 67), sizes[0]), network(sizes, biased=biased), activation)
    ours = results(kernels, *given, torch.float32)
    exact = results(DEFINITION, *given, torch.float64)
    assert_close(ours[0].double(), exact[0], rtol=1e-4, atol=1e-4)
    # A ReLU whose sum is next to zero may be on in one precision and off in the other.
    tolerance = 5e-3 if activation == Activation.RELU else 1e-4
    for a, b in zip(ours[1:], exact[1:], strict=True):
        assert (a - b).norm() <= tolerance * b.norm()


@pytest.mark.parametrize("activation", Activation)
def test_the_definitions_own_gradient_is_its_derivative(activation):
    parameters = network((3, 5, 4, 2))
    leaves = [values.double().requires_grad_() for values in (rows(4, 3), *parameters)]

    def outputs(inputs: Tensor, *rest: Tensor) -> Tensor:
        with DEFINITION.in_use():
            return mlp(inputs, rest[:3], rest[3:], activation)

    assert torch.autograd.gradcheck(outputs, leaves, eps=1e-7, atol=1e-5)


# On a hash grid


def grid_inputs(count: int, grid: HashGrid = GRID) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    positions = 1.2 * torch.rand(count, grid.dimensions, generator=generator) - 0.1
    return [positions, torch.randn(grid.table_shape, generator=generator)]


@pytest.mark.parametrize("grid", [GRID, replace(GRID, dimensions=2, features=4, levels=3)], ids=str)
def test_on_a_grid_it_is_the_perceptron_of_the_features(kernels, grid):
    sizes = (grid.outputs, 32, 32, 5)
    leaves = kernels.put(*grid_inputs(kernels.size(1003, 67), grid), *network(sizes))
    leaves = [values.requires_grad_() for values in leaves]
    with kernels.in_use():
        fused = hashgrid_mlp(*leaves[:2], grid, leaves[2:5], leaves[5:])
        apart = mlp(hashgrid(*leaves[:2], grid), leaves[2:5], leaves[5:])
        silent = hashgrid_mlp(*[v.detach() for v in leaves[:2]], grid, leaves[2:5], leaves[5:])
    assert_close(fused, apart, rtol=1e-6, atol=1e-6)
    assert_close(silent, apart, rtol=1e-6, atol=1e-6)
    cotangent = rows(*fused.shape, seed=1).to(fused)
    for a, b in zip(
        torch.autograd.grad(fused, leaves, cotangent),
        torch.autograd.grad(apart, leaves, cotangent),
        strict=True,
    ):
        assert (a - b).norm() <= 1e-5 * b.norm()


def test_on_a_grid_what_needs_no_gradient_gets_none(kernels):
    positions, table, *weights = kernels.put(*grid_inputs(40), *network(NETWORK, biased=False))
    weights[0].requires_grad_()
    with kernels.in_use():
        outputs = hashgrid_mlp(positions, table, GRID, weights)
        (gradient,) = torch.autograd.grad(outputs.sum(), weights[0])
        assert gradient.abs().max() > 0
        weights[0].requires_grad_(False)
        assert not hashgrid_mlp(positions, table, GRID, weights).requires_grad


# The operators


def test_any_number_of_threads_gives_the_same_bits():
    (cpu,) = [machine for machine in compiled("mlp") if machine.backend == "cpu"]
    sizes, threads = SHAPES["as in radiance fields"], torch.get_num_threads()
    given = (sizes, rows(20_011, sizes[0]), network(sizes), Activation.RELU, torch.float32)
    try:
        found = []
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            found.append(results(cpu, *given))
    finally:
        torch.set_num_threads(threads)
    for one, two, five in zip(*found, strict=True):
        assert torch.equal(one, two) and torch.equal(one, five)


def test_the_operators_keep_torchs_contracts(kernels):
    positions, table, *weights = kernels.put(*grid_inputs(12), *network(NETWORK, biased=False))
    parameters = torch.cat([weight.flatten() for weight in weights]).requires_grad_()
    flat = (parameters, list(NETWORK), int(Activation.RELU), False)
    positions, table = positions.requires_grad_(), table.requires_grad_()
    inputs = rows(12, GRID.outputs).to(table).requires_grad_()
    ops, tests = torch.ops.distill3d, ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(ops.mlp.default, (kernels.backend, inputs, *flat), test_utils=tests)
    arguments = (kernels.backend, positions, table, True, *flat, *settings(GRID))
    torch.library.opcheck(ops.hashgrid_mlp.default, arguments, test_utils=tests)


def test_inputs_need_not_be_contiguous(machine):
    parameters = [values.T.contiguous().T for values in machine.put(*network((6, 16, 3), biased=False))]
    (inputs,) = machine.put(rows(30, 6))
    strided = torch.stack([inputs, inputs], -1)[..., 0]
    straight = mlp(inputs, [values.contiguous() for values in parameters])
    assert_close(mlp(strided, parameters), straight)


# Errors


def test_other_float_types_are_refused_by_name(kernels):
    with kernels.in_use(), pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        mlp(*kernels.put(rows(3, 6).double()), kernels.put(*network((6, 3), biased=False)))


def test_shapes_that_do_not_agree_are_refused():
    first, second, bias, _ = network((6, 16, 3))
    with pytest.raises(ValueError, match=r"weights \(3, 16\) for layer 0 after inputs \(4, 6\)"):
        mlp(rows(4, 6), [second])
    with pytest.raises(ValueError, match=r"layer 1 after layer 0 of 16 outputs"):
        mlp(rows(4, 6), [first, first])
    with pytest.raises(ValueError, match=r"biases \(16,\) for layer 1, expected \(3,\)"):
        mlp(rows(4, 6), [first, second], [bias, bias])
    with pytest.raises(ValueError, match="expected none or one for each"):
        mlp(rows(4, 6), [first, second], [bias])
    with pytest.raises(ValueError, match="no weights"):
        mlp(rows(4, 6), [])


def test_too_large_a_perceptron_is_refused_by_the_kernels(kernels):
    with kernels.in_use(), pytest.raises(ValueError, match="at most 8 layers of widths 1 to 128"):
        mlp(*kernels.put(rows(3, 6)), kernels.put(*network((6, 200, 3), biased=False)))
