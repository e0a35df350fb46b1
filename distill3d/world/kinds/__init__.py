"""The menu of objects: every public function in a file of this folder is a kind.

A kind is called with the colour that the prompt names (None for the kind's own) and a `Vary`, and returns its
parts in any unit of length: upright along +z, its front towards +x. Every instance has the same part labels.
A file lists in `WITHOUT_FRONT` those of its kinds that have no side that is the front.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from distill3d.world.colours import RGB
from distill3d.world.parts import Part, Vary


@dataclass(frozen=True)
class Kind:
    """A kind of object; `make(colour, vary)` builds an instance."""

    name: str
    make: Callable[[RGB | None, Vary], list[Part]]
    has_front: bool
    about: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its parts, in order of first appearance."""
        return _labels(self.name)


@cache
def kinds() -> dict[str, Kind]:
    """All kinds by name, in alphabetical order."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for name, make in inspect.getmembers(module, inspect.isfunction):
            if make.__module__ == module.__name__ and not name.startswith("_"):
                has_front = name not in module.WITHOUT_FRONT
                found[name] = Kind(name, make, has_front, inspect.getdoc(make) or "")
    return dict(sorted(found.items()))


@cache
def _labels(name: str) -> tuple[str, ...]:
    made = kinds()[name].make(None, Vary(name, 0))
    return tuple(dict.fromkeys(part.label for part in made))
