"""`mlp` and `hashgrid_mlp` on the compiled kernels: torch operators and their ties to autograd.

An operator takes all weights and biases as one flat tensor, `parameters`, and the widths as `sizes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p, pointer
from typing import Any

import torch
from torch import Tensor

from distill3d.ops import _library as c
from distill3d.ops._hashgrid_kernels import GRID, GRID_SCHEMA, aligned, c_grid, grid_gradient, settings
from distill3d.ops.hashgrid_layout import HashGrid
from distill3d.ops.mlp_reference import Activation

MAX_LAYERS = 8


class CMlp(Structure):
    _fields_ = [
        ("layers", c_int32),
        ("activation", c_int32),
        ("biased", c_int32),
        ("sizes", c_int32 * (MAX_LAYERS + 1)),
        ("parameters", c_void_p),
    ]


class CMlpInputs(Structure):
    _fields_ = [("rows", c_void_p), ("grid", GRID), ("positions", c_void_p), ("features", c_void_p)]


MLP, INPUTS = POINTER(CMlp), POINTER(CMlpInputs)

c.declare(
    {
        "d3d_mlp_forward_bytes": [c_int64, MLP, c.LAUNCH],
        "d3d_mlp_forward": [c_int32, MLP, c_int64, INPUTS, c_void_p, c_void_p, c.LAUNCH],
        "d3d_mlp_gradient_bytes": [c_int64, MLP, c_int64, c.LAUNCH],
        "d3d_mlp_gradient": [c_int32, MLP, c_int64, *[c_void_p] * 5, c.LAUNCH],
    }
)

MLP_SCHEMA = "Tensor parameters, int[] sizes, int activation, bool biased"


def mlp(
    library: str, inputs: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], activation: Activation
) -> Tensor:
    """The other arguments are those of `distill3d.ops.mlp.mlp`."""
    return _forward(library, inputs, *_flat(weights, biases), int(activation), bool(biases))


def hashgrid_mlp(
    library: str,
    positions: Tensor,
    table: Tensor,
    grid: HashGrid,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: Activation,
) -> Tensor:
    """The other arguments are those of `distill3d.ops.mlp.hashgrid_mlp`."""
    network = (*_flat(weights, biases), int(activation), bool(biases))
    learns = torch.is_grad_enabled() and any(
        values.requires_grad for values in (positions, table, *weights, *biases)
    )
    return _grid_forward(library, positions, table, learns, *network, *settings(grid))[0]


def _flat(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    parameters = torch.cat([values.reshape(-1) for values in (*weights, *biases)])
    return parameters, [weights[0].shape[1], *[weight.shape[0] for weight in weights]]


def _c_mlp(parameters: Tensor, sizes: Sequence[int], activation: int, biased: bool) -> CMlp:
    """The C view of contiguous parameters, which must outlive it."""
    array = (c_int32 * (MAX_LAYERS + 1))(*sizes)
    return CMlp(len(sizes) - 1, activation, int(biased), array, parameters.data_ptr())


def _run_forward(library: str, network: CMlp, inputs: CMlpInputs, like: Tensor) -> Tensor:
    """Outputs for as many points as `like` has rows."""
    kernels, launch = c.library(library), byref(c.launch(like.device))
    outputs = like.new_empty(len(like), network.sizes[network.layers])
    scratch = c.workspace(kernels.d3d_mlp_forward_bytes(byref(network), launch), like.device)
    c.check(
        kernels.d3d_mlp_forward(
            byref(network), len(like), byref(inputs), outputs.data_ptr(), scratch.data_ptr(), launch
        )
    )
    return outputs


def _run_gradient(
    library: str,
    network: CMlp,
    inputs: Tensor,
    by_outputs: Tensor,
    parameter_count: int,
    to_inputs: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of input rows, empty where not asked for, and of parameters."""
    kernels, launch = c.library(library), byref(c.launch(by_outputs.device))
    by_inputs = by_outputs.new_empty(len(by_outputs) if to_inputs else 0, network.sizes[0])
    by_parameters = by_outputs.new_empty(parameter_count)
    scratch = c.workspace(
        kernels.d3d_mlp_gradient_bytes(byref(network), len(by_outputs), launch), by_outputs.device
    )
    c.check(
        kernels.d3d_mlp_gradient(
            byref(network),
            len(by_outputs),
            inputs.data_ptr(),
            by_outputs.data_ptr(),
            by_inputs.data_ptr() if to_inputs else None,
            by_parameters.data_ptr(),
            scratch.data_ptr(),
            launch,
        )
    )
    return by_inputs, by_parameters


# Rows of memory through a perceptron


@torch.library.custom_op(
    "distill3d::mlp", mutates_args=(), schema=f"(str library, Tensor inputs, {MLP_SCHEMA}) -> Tensor"
)
def _forward(
    library: str, inputs: Tensor, parameters: Tensor, sizes: Sequence[int], activation: int, biased: bool
) -> Tensor:
    inputs, parameters = inputs.contiguous(), parameters.contiguous()
    network = _c_mlp(parameters, sizes, activation, biased)
    return _run_forward(library, network, CMlpInputs(inputs.data_ptr(), None, None, None), inputs)


@_forward.register_fake
def _(
    library: str, inputs: Tensor, parameters: Tensor, sizes: Sequence[int], activation: int, biased: bool
) -> Tensor:
    return inputs.new_empty(len(inputs), sizes[-1])


@torch.library.custom_op(
    "distill3d::mlp_gradient",
    mutates_args=(),
    schema="(str library, Tensor by_outputs, Tensor inputs, bool to_inputs, "
    f"{MLP_SCHEMA}) -> (Tensor, Tensor)",
)
def _gradient(
    library: str,
    by_outputs: Tensor,
    inputs: Tensor,
    to_inputs: bool,
    parameters: Tensor,
    sizes: Sequence[int],
    activation: int,
    biased: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of inputs, empty where not asked for, and of parameters."""
    by_outputs, inputs, parameters = by_outputs.contiguous(), inputs.contiguous(), parameters.contiguous()
    network = _c_mlp(parameters, sizes, activation, biased)
    return _run_gradient(library, network, inputs, by_outputs, parameters.numel(), to_inputs)


@_gradient.register_fake
def _(
    library: str, by_outputs: Tensor, inputs: Tensor, to_inputs: bool, parameters: Tensor, *settings: object
) -> tuple[Tensor, Tensor]:
    rows = len(inputs) if to_inputs else 0
    return inputs.new_empty(rows, inputs.shape[1]), torch.empty_like(parameters)


def _save(ctx, inputs, output) -> None:
    ctx.library, rows, parameters, *ctx.network = inputs
    ctx.save_for_backward(rows, parameters)


def _backward(ctx, by_outputs) -> tuple:
    inputs, parameters = ctx.saved_tensors
    wanted = ctx.needs_input_grad[1]
    by_inputs, by_parameters = _gradient(ctx.library, by_outputs, inputs, wanted, parameters, *ctx.network)
    return None, by_inputs if wanted else None, by_parameters, None, None, None


_forward.register_autograd(_backward, setup_context=_save)


# A hash grid's features through a perceptron


@torch.library.custom_op(
    "distill3d::hashgrid_mlp",
    mutates_args=(),
    schema="(str library, Tensor positions, Tensor table, bool learns, "
    f"{MLP_SCHEMA}, {GRID_SCHEMA}) -> (Tensor, Tensor)",
)
def _grid_forward(
    library: str,
    positions: Tensor,
    table: Tensor,
    learns: bool,
    parameters: Tensor,
    sizes: Sequence[int],
    activation: int,
    biased: bool,
    *fields: Any,
) -> tuple[Tensor, Tensor]:
    """Outputs, and features for the gradient, or none."""
    positions, table, parameters = positions.contiguous(), aligned(table), parameters.contiguous()
    network = _c_mlp(parameters, sizes, activation, biased)
    grid = c_grid(HashGrid(*fields), table)
    features = positions.new_empty(len(positions) if learns else 0, sizes[0])
    kept = features.data_ptr() if learns else None
    inputs = CMlpInputs(None, pointer(grid), positions.data_ptr(), kept)
    return _run_forward(library, network, inputs, positions), features


@_grid_forward.register_fake
def _(
    library: str,
    positions: Tensor,
    table: Tensor,
    learns: bool,
    parameters: Tensor,
    sizes: Sequence[int],
    *settings: object,
) -> tuple[Tensor, Tensor]:
    kept = len(positions) if learns else 0
    return positions.new_empty(len(positions), sizes[-1]), positions.new_empty(kept, sizes[0])


def _grid_save(ctx, inputs, output) -> None:
    ctx.library, positions, table, _learns, parameters, *settings = inputs
    ctx.network, ctx.fields = settings[:3], settings[3:]
    ctx.save_for_backward(positions, table, parameters, output[1])
    ctx.mark_non_differentiable(output[1])


def _grid_backward(ctx, by_outputs, _by_features) -> tuple:
    positions, table, parameters, features = ctx.saved_tensors
    wanted = ctx.needs_input_grad[1:3]
    by_features, by_parameters = _gradient(
        ctx.library, by_outputs, features, any(wanted), parameters, *ctx.network
    )
    by_positions, by_table = grid_gradient(ctx.library, by_features, positions, table, *wanted, *ctx.fields)
    return (
        None,
        by_positions if wanted[0] else None,
        by_table if wanted[1] else None,
        None,
        by_parameters,
        *[None] * (len(ctx.network) + len(ctx.fields)),
    )


_grid_forward.register_autograd(_grid_backward, setup_context=_grid_save)
