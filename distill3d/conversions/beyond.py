"""What a source has that its target cannot hold, in sentences for its report."""

from __future__ import annotations

from collections.abc import Iterator

from distill3d.conversions.centred import left_out
from distill3d.field import Field
from distill3d.representations._primitives import Primitives
from distill3d.representations.voxels import Voxels
from distill3d.scene import Scene

ANY_DEGREE = 99
"""Of colours that are made by a network: they follow the direction in ways that no harmonics could."""


def beyond(source: Scene, target: Scene) -> Iterator[str]:
    """A sentence for each thing that is lost whatever is learned."""
    had, held = degree(source), degree(target)
    if held < had:
        what = "freely" if had == ANY_DEGREE else f"by harmonics of degree {had}"
        can = "cannot at all" if held == 0 else f"can by harmonics of degree {held} only"
        yield f"colours of the source depend {what} on the direction of sight; those of the target {can}"
    out = left_out(source)
    if out:
        yield f"{out} splats far from all others, such as a background, are left out"


def degree(scene: Scene) -> int:
    """The degree of the harmonics by which colours depend on the direction of sight."""
    if isinstance(scene, Voxels):
        return scene.degree
    if isinstance(scene, Field):
        return ANY_DEGREE if scene.directional else 0
    return int(scene.sh.shape[1] ** 0.5) - 1 if isinstance(scene, Primitives) else 0
