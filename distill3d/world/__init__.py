"""The closed world: a grammar of prompts and the procedural objects they name, with known parts and a known front.

`describe` reads a prompt, `instance` and `instances` build the objects it names, `Model.render` takes exact pictures.
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
