"""The closed world: prompts of a small grammar name procedural objects with known parts and a known front.

`describe` reads a prompt, `instance` and `instances` build what it names, `Model.render` pictures it.
"""

from __future__ import annotations

from distill3d.world.grammar import Description, Thing, UnknownWord, describe, vocabulary
from distill3d.world.model import Model, instance, instances
from distill3d.world.parts import Part
from distill3d.world.views import VIEWS, in_view, view_word

__all__ = [
    "VIEWS",
    "Description",
    "Model",
    "Part",
    "Thing",
    "UnknownWord",
    "describe",
    "in_view",
    "instance",
    "instances",
    "view_word",
    "vocabulary",
]
