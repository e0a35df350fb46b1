"""Target: the contract of what a scene can be converted into. Its kinds live in targets/.

A kind of target is one file in targets/, called after the kind of scene that it makes, with one dataclass:
its fields are the flags --to.*. The file's PRESETS give `steps`, `views`, `rays` and values for fields; it is
read without running the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from distill3d.scene import Scene


@dataclass(frozen=True)
class Target:
    """A kind of scene, at a size."""

    smaller: ClassVar[str] = ""
    """The flag that makes it need less memory."""

    def start(self, source: Scene, *, seed: int) -> Scene:
        """A scene of this kind that shows as much of `source` as can be had without learning.

        Raises ValueError for sizes that mean nothing and sources that show nothing.
        """
        raise TypeError(f"{type(self).__name__} starts nothing")

    def keeps(self, source: Scene) -> bool:
        """Whether `start` leaves all of `source` as it is, so that nothing is to be learned."""
        return False

    def bytes(self) -> int:
        """About how much memory it takes to make a scene of this size and to learn it, lessons aside."""
        raise TypeError(f"{type(self).__name__} does not know how large it is")
