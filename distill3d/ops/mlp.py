"""Small multilayer perceptrons over many points, alone or on a hash grid's features.

All layers are computed for a block of points while it is in the cache; the gradient computes them again
instead of keeping them.

Source: Müller et al. 2021, Real-time Neural Radiance Caching (arXiv 2106.12372), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from distill3d.ops import _mlp_kernels, backends, hashgrid_reference, mlp_reference
from distill3d.ops.hashgrid import HashGrid
from distill3d.ops.hashgrid import check as check_grid
from distill3d.ops.mlp_reference import Activation

__all__ = ["MAX_LAYERS", "MAX_WIDTH", "Activation", "hashgrid_mlp", "mlp"]

MAX_LAYERS, MAX_WIDTH = 8, 128
"""Of what the compiled kernels take; the definition takes any."""


def mlp(
    inputs: Float[Tensor, "P I"],
    weights: Sequence[Tensor],
    biases: Sequence[Tensor] = (),
    activation: Activation = Activation.RELU,
) -> Float[Tensor, "P O"]:
    """Outputs of a perceptron; differentiable, once, in inputs, weights and biases.

    `weights` are [outputs, inputs] for each layer, as in torch.nn.Linear; `biases` [outputs] for each layer,
    or none at all. The activation stands between layers, not after the last. Widths are fastest in multiples
    of 16.

    Raises ValueError for shapes that do not agree and, on a compiled backend, for more than 8 layers or a
    width over 128; TypeError for other than float32 there.
    """
    backend = backends.choose("mlp", inputs, *weights, *biases)
    _check(inputs.shape[-1], weights, biases, backend, f"inputs {tuple(inputs.shape)}")
    if backend == "reference":
        return mlp_reference.mlp(inputs, weights, biases, activation)
    return _mlp_kernels.mlp(backend, inputs, weights, biases, activation)


def hashgrid_mlp(
    positions: Float[Tensor, "P D"],
    table: Float[Tensor, "N F"],
    grid: HashGrid,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor] = (),
    activation: Activation = Activation.RELU,
) -> Float[Tensor, "P O"]:
    """`mlp` of `hashgrid`, without the features in between ever being in memory at once.

    Differentiable, once, in positions, table, weights and biases. Errors are those of the two.
    """
    check_grid(positions, table, grid)
    backend = backends.choose("hashgrid_mlp", positions, table, *weights, *biases)
    _check(grid.outputs, weights, biases, backend, f"a grid of {grid.outputs} outputs")
    if backend == "reference":
        features = hashgrid_reference.hashgrid(positions, table, grid)
        return mlp_reference.mlp(features, weights, biases, activation)
    return _mlp_kernels.hashgrid_mlp(backend, positions, table, grid, weights, biases, activation)


def _check(
    width: int, weights: Sequence[Tensor], biases: Sequence[Tensor], backend: str, inputs: str
) -> None:
    if not weights:
        raise ValueError(
            "a perceptron was given no weights; give one matrix [outputs, inputs] for each layer"
        )
    if biases and len(biases) != len(weights):
        raise ValueError(
            f"given {len(biases)} biases, expected none or one for each of {len(weights)} layers"
        )
    for layer, weight in enumerate(weights):
        if weight.ndim != 2 or weight.shape[1] != width:
            before = inputs if layer == 0 else f"layer {layer - 1} of {width} outputs"
            raise ValueError(
                f"given weights {tuple(weight.shape)} for layer {layer} after {before}, "
                f"expected (outputs, {width})"
            )
        width = weight.shape[0]
        if biases and tuple(biases[layer].shape) != (width,):
            raise ValueError(
                f"given biases {tuple(biases[layer].shape)} for layer {layer}, expected ({width},)"
            )
    widest = max(max(weight.shape) for weight in weights)
    narrowest = min(min(weight.shape) for weight in weights)
    if backend != "reference" and (len(weights) > MAX_LAYERS or widest > MAX_WIDTH or narrowest < 1):
        raise ValueError(
            f"given {len(weights)} layers of widths {narrowest} to {widest}, and the {backend} backend takes "
            f"at most {MAX_LAYERS} layers of widths 1 to {MAX_WIDTH}; make it smaller, "
            'or run inside use("reference")'
        )
