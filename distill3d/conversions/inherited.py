"""What a student field takes over from its teacher before it has learned anything.

Fang et al. 2023, One Is All (arXiv 2211.15977), start the student from all that the architectures have in
common: the cells that are not empty, and the network that makes colours of a point's features. Only what a
field stores then starts from noise, and the features of both mean the same, so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from distill3d.field import Field
from distill3d.representations._sight import HARMONICS
from distill3d.representations.hash_grid import HashGrid
from distill3d.representations.mlp import Mlp
from distill3d.representations.triplane import Triplane
from distill3d.representations.vm import Vm

SEES_DENSITY = {HashGrid: True, Mlp: True, Triplane: True, Vm: False}
"""Whether the colour networks of these kinds see a point's raw density before its features."""
LOOKS = 8
"""Random points in every cell of a teacher that has not been looked into yet."""


def inherit(student: Field, teacher: Field) -> None:
    """Let `student` have the teacher's cells, and its colour network if both have networks of one size."""
    look_into(teacher)
    student.confine(teacher.occupied)
    if not comparable(student, teacher):
        return
    ours, theirs = _network(student), _network(teacher)
    known = _columns(teacher, theirs[0])
    with torch.no_grad():
        for name, values in _columns(student, ours[0]).items():
            values.copy_(known[name]) if known[name].shape == values.shape else values.zero_()
        for own, taken in zip(ours[1:], theirs[1:], strict=True):
            own.copy_(taken)


def comparable(student: Field, teacher: Field) -> bool:
    """Whether the colour network of one fits into the other: then the features of both mean the same."""
    ours, theirs = _network(student), _network(teacher)
    if not ours or [len(layer) for layer in ours] != [len(layer) for layer in theirs]:
        return False
    widths = [_columns(f, n[0])["features"].shape for f, n in ((student, ours), (teacher, theirs))]
    return widths[0] == widths[1]


def look_into(field: Field) -> None:
    """Find out which cells of a field are empty, if nobody has looked yet."""
    if field.remembered.isfinite().any():
        return
    generator = torch.Generator().manual_seed(0)
    for _ in range(LOOKS):
        field.look(generator)


def _network(field: Field) -> Sequence[Tensor]:
    """The weights that make colours of features; none where there is no network of a kind that we know."""
    return list(field.colour) if type(field) in SEES_DENSITY else []  # pyright: ignore


def _columns(field: Field, first: Tensor) -> dict[str, Tensor]:
    """The parts of a network's first layer, by what they see; views, to be written to."""
    density, directions = int(SEES_DENSITY[type(field)]), HARMONICS * field.directional
    widths = density, first.shape[1] - density - directions, directions
    return dict(zip(("density", "features", "directions"), first.split(widths, 1), strict=True))
