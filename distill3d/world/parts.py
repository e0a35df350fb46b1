"""What objects are made of: labelled, coloured solids, and the chance that makes two instances differ."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from distill3d.world.colours import RGB, rgb
from distill3d.world.outlines import Number
from distill3d.world.solid import Shape


@dataclass(frozen=True)
class Part:
    """A solid of one colour. Parts may share a label (two "eyes"); a prompt names parts by label."""

    label: str
    colour_rgb: RGB
    shape: Shape

    def painted(self, colour: RGB) -> Part:
        return replace(self, colour_rgb=colour)

    def shaped(self, shape: Shape) -> Part:
        return replace(self, shape=shape)


def part(label: str, colour: RGB | str, shape: Shape) -> Part:
    """A part whose colour is a value or a colour word."""
    return Part(label, rgb(colour) if isinstance(colour, str) else colour, shape)


def pair(label: str, colour: RGB | str, shape: Callable[[int], Shape]) -> list[Part]:
    """The same part on the left (side +1, towards +y) and on the right (side -1)."""
    return [part(label, colour, shape(side)) for side in (1, -1)]


class Vary:
    """The chance in an instance: the same name and index give the same numbers everywhere and always."""

    def __init__(self, name: str, index: int) -> None:
        digest = hashlib.sha256(f"{name}/{index}".encode()).digest()
        self._random = random.Random(int.from_bytes(digest[:8], "big"))

    def __call__(self, value: Number, by: Number = 0.12) -> float:
        """A number within a share `by` of `value`."""
        return value * self._random.uniform(1 - by, 1 + by)

    def between(self, low: Number, high: Number) -> float:
        """A number between two bounds."""
        return self._random.uniform(low, high)
