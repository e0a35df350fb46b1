"""Golden results on one backend: `python -m distill3d.commands._backend_check NAME`, for the doctor.

Every operation that the backend has is run on a small example, forward and backward, and compared with the
definition in float64. A line of JSON tells of each, first that it begins and then what came of it; so one
that crashes is known by name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from distill3d.camera import Cameras, turntable
from distill3d.ops import backends
from distill3d.ops.mesh import rasterize
from distill3d.ops.splat import splat
from distill3d.ops.ssim import ssim_map

OURS, OTHERS = 5e-4, 2e-2
"""The largest error allowed of our own kernels, and of other people's, whose thresholds differ."""

Example = Callable[[torch.device, torch.dtype], Sequence[Tensor]]


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _cameras(device: torch.device) -> Cameras:
    return turntable(2, width=48, height=40).to(device)


def _with_gradients(outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Tensor]:
    """The outputs, and the gradients of the sum of their squares."""
    loss = sum((output.square().sum() for output in outputs), start=outputs[0].new_zeros(()))
    return [*outputs, *torch.autograd.grad(loss, list(leaves))]


def _leaves(device: torch.device, dtype: torch.dtype, values: Sequence[Tensor]) -> list[Tensor]:
    return [value.to(device, dtype).requires_grad_() for value in values]


def _splat(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    gaussians = [
        _random(64, 3) - 0.5,
        _random(64, 4, seed=1) - 0.5,
        0.1 * _random(64, 3, seed=2) + 0.02,
        0.8 * _random(64, seed=3) + 0.1,
        _random(64, 3, seed=4),
    ]
    leaves = _leaves(device, dtype, gaussians)
    images = splat(*leaves, _cameras(device))
    return _with_gradients([images.colours, images.alpha, images.depth], leaves)


def _mesh(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    vertices = (_random(24, 3) - 0.5).to(device, dtype)
    faces = torch.arange(24, device=device).reshape(8, 3)
    fragments = rasterize(vertices, faces, _cameras(device))
    return [fragments.triangle, fragments.barycentric, fragments.depth]


def _ssim(device: torch.device, dtype: torch.dtype) -> Sequence[Tensor]:
    leaves = _leaves(device, dtype, [_random(2, 24, 20, 3), _random(2, 24, 20, 3, seed=1)])
    return _with_gradients([ssim_map(*leaves)], leaves)


EXAMPLES: dict[str, Example] = {"splat": _splat, "mesh": _mesh, "ssim": _ssim}
"""By the names that `distill3d.ops.backends.choose` is asked with."""


def largest_error(backend: str, operation: str) -> float:
    """Of all numbers of an example, beside the largest of its tensor if that is more than 1.

    Raises ArithmeticError for numbers that are not finite.
    """
    device = torch.device("cuda" if backend == "cuda" or backend in backends.ADAPTERS else "cpu")
    with backends.use(backend):
        tried = EXAMPLES[operation](device, torch.float32)
    with backends.use("reference"):
        wanted = EXAMPLES[operation](torch.device("cpu"), torch.float64)
    return max(_error(ours.cpu(), exact) for ours, exact in zip(tried, wanted, strict=True))


def _error(tried: Tensor, wanted: Tensor) -> float:
    if not tried.isfinite().all():
        raise ArithmeticError("gave numbers that are not finite")
    return float((tried.double() - wanted.double()).abs().max()) / max(1.0, float(wanted.abs().max()))


def main() -> None:
    """Try the backend that the command line names."""
    backend = sys.argv[1]
    for operation in backends.ADAPTERS.get(backend, EXAMPLES):
        if operation not in EXAMPLES:
            continue
        _say(operation=operation)
        try:
            _say(operation=operation, error=largest_error(backend, operation))
        except (RuntimeError, ValueError, TypeError, ArithmeticError) as refused:
            _say(operation=operation, refused=str(refused))


def _say(**words: object) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    main()
