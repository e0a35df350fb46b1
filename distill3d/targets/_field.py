"""What all targets that are fields share: they take over from their teacher what they can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from distill3d.camera import orbit
from distill3d.conversions.field_of import field_of
from distill3d.conversions.inherited import inherit
from distill3d.field import Field
from distill3d.scene import Scene, Seen
from distill3d.target import Target

NOWHERE = Seen(orbit(torch.zeros(1), 0.0, width=1, height=1))
"""No photographs: fields that are made for them start alike."""


@dataclass(frozen=True)
class FieldTarget(Target):
    """A field. A kind says what is fresh and, if there is a short cut, what is not."""

    samples: Annotated[int, "samples along a ray through the whole scene"] = 128

    def start(self, source: Scene, *, seed: int) -> Field:
        """A fresh field, with the cells and the colour network of its teacher."""
        student = self.fresh(seed)
        inherit(student, field_of(source))
        return student

    def fresh(self, seed: int) -> Field:
        raise TypeError(f"{type(self).__name__} makes no field")

    def parameters(self) -> int:
        """How many numbers it learns in the end; nothing is made for it."""
        with FakeTensorMode():
            return sum(parameter.numel() for parameter in self.fresh(0).parameters())

    def bytes(self) -> int:
        """The numbers, their gradients and Adam's two moments."""
        return 16 * self.parameters()
