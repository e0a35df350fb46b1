"""Golden results on one backend: `python -m distill3d.commands._backend_check NAME`, for the doctor.

Every operation that the backend has is run on a small example, forward and backward, and compared with the
definition in float64. A line of JSON tells of each, first that it begins and then what came of it; so one
that crashes is known by name.
"""

from __future__ import annotations

import json
import sys

import torch
from torch import Tensor

from distill3d.commands._backend_examples import ADAPTED, EXAMPLES
from distill3d.ops import backends

OURS, OTHERS = 5e-4, 2e-2
"""The largest error allowed of our own kernels, and of other people's, whose thresholds differ."""


def largest_error(backend: str, operation: str) -> float:
    """Of all numbers of an example, beside the largest of its tensor if that is more than 1.

    Raises ArithmeticError for numbers that are not finite.
    """
    device = torch.device("cuda" if backend == "cuda" or backend in backends.ADAPTERS else "cpu")
    example = (ADAPTED if backend in backends.ADAPTERS else EXAMPLES)[operation]
    with backends.use(backend):
        tried = example(device, torch.float32)
    with backends.use("reference"):
        wanted = example(torch.device("cpu"), torch.float64)
    return max(_error(ours.cpu(), exact) for ours, exact in zip(tried, wanted, strict=True))


def _error(tried: Tensor, wanted: Tensor) -> float:
    if not tried.isfinite().all():
        raise ArithmeticError("gave numbers that are not finite")
    return float((tried.double() - wanted.double()).abs().max()) / max(1.0, float(wanted.abs().max()))


def main() -> None:
    """Try the backend that the command line names."""
    backend = sys.argv[1]
    for operation in backends.ADAPTERS.get(backend, EXAMPLES):
        _say(operation=operation)
        try:
            _say(operation=operation, error=largest_error(backend, operation))
        except (RuntimeError, ValueError, TypeError, ArithmeticError) as refused:
            _say(operation=operation, refused=str(refused))


def _say(**words: object) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    main()
