"""What a conversion copies, shown where it is copied: in the unit ball, beside a copy that learns there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill3d import files
from distill3d.errors import given_by_user
from distill3d.scene import Scene
from distill3d.viewer.meaning import Meaning, meaning_of


@dataclass(frozen=True)
class Original:
    """The source of a conversion."""

    given: Scene
    """As its file has it."""
    centre: Scene
    """The same in the unit ball, from which the copy learns; the very same if it lies there."""
    meaning: Meaning | None

    @classmethod
    def open(cls, path: Path) -> Original:
        """The scene in a file or a run's folder. Raises UserError if it cannot be shown."""
        from distill3d.conversions.centred import centred

        given = files.load(path)
        with given_by_user():
            centre = centred(given)
        return cls(given, centre, meaning_of(given, path) if centre is given else meaning_of(centre))

    def beside(self, result: Scene) -> Scene:
        """The result of the conversion, which lies where its source was given, to where `centre` lies."""
        from distill3d.conversions.centred import put_back

        return put_back(result, self.centre, self.given)
