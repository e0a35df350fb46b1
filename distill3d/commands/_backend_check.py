"""A golden picture on one backend: `python -m distill3d.commands._backend_check NAME`, for the doctor."""

from __future__ import annotations

import sys

import torch

from distill3d.camera import turntable
from distill3d.ops.backends import use
from distill3d.ops.splat import splat

TOLERANCE = 2e-4


def largest_difference(name: str) -> float:
    """Between a picture of 64 Gaussians on backend `name` and by the definition, in display units."""
    generator = torch.Generator().manual_seed(0)
    cameras = turntable(2, width=48, height=40)
    scene = (
        torch.rand(64, 3, generator=generator) - 0.5,
        torch.randn(64, 4, generator=generator),
        torch.rand(64, 3, generator=generator) * 0.1 + 0.02,
        torch.rand(64, generator=generator) * 0.8 + 0.1,
        torch.rand(64, 3, generator=generator),
    )
    with use(name):
        tried = splat(*scene, cameras).colours
    with use("reference"):
        wanted = splat(*scene, cameras).colours
    return float((tried - wanted).abs().max())


def main() -> None:
    """Print the difference; exit with a sentence if it is too large."""
    difference = largest_difference(sys.argv[1])
    if not difference < TOLERANCE:
        sys.exit(f"its picture is off by {difference:.2g}; at most {TOLERANCE:g} was expected")
    print(f"its picture is within {difference:.1g} of the definition")


if __name__ == "__main__":
    main()
