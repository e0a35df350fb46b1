"""What primitives mean: the parts they belong to, or features that were lifted onto them.

Features are a column of vectors in a scene's own file, one for each primitive. Those of a model that reads
know words too: their vectors stand beside the file NAME.* in NAME.words.json, see `lift.query`. Parts stand
in NAME.parts.json, see `Parts`.
"""

from __future__ import annotations

import colorsys
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distill3d.errors import UserError
from distill3d.lift.query import FEATURES, Features, read_words, words_of
from distill3d.representations._primitives import Primitives
from distill3d.scene import Scene

GOLDEN = 0.618034
"""Of a turn between the hues of two parts, so that neighbours in the list differ."""


@runtime_checkable
class Meaning(Protocol):
    """Says how primitives are alike."""

    @property
    def label(self) -> str:
        """For people."""
        ...

    def colours(self) -> Float[Tensor, "N 3"]:
        """What is alike has like colours."""
        ...

    def like_words(self, text: str) -> Float[Tensor, " N"]:
        """How well each primitive fits some words, -1 to 1. Raises ValueError if they mean nothing here."""
        ...

    def like_primitive(self, chosen: int) -> Float[Tensor, " N"]:
        """How alike each primitive is to one of them, -1 to 1."""
        ...


@dataclass(frozen=True)
class Parts:
    """Each primitive is of one part, which has a name."""

    names: tuple[str, ...]
    part: Int64[Tensor, " N"]
    label: str = "part"

    def colours(self) -> Float[Tensor, "N 3"]:
        hues = [colorsys.hsv_to_rgb(i * GOLDEN % 1, 0.55, 0.95) for i in range(len(self.names))]
        return torch.tensor(hues)[self.part]

    def like_words(self, text: str) -> Float[Tensor, " N"]:
        """1 for the parts whose names share a word with the text, 0 for others."""
        wanted = set(words_of(text))
        fits = torch.tensor([bool(wanted & set(words_of(name))) for name in self.names])
        if not fits.any():
            raise ValueError(f"no part is called {text[:40]!r}; there are {', '.join(self.names)[:300]}")
        return fits[self.part].float()

    def like_primitive(self, chosen: int) -> Float[Tensor, " N"]:
        return (self.part == self.part[chosen]).float()


def meaning_of(scene: Scene, path: Path | None = None) -> Meaning | None:
    """Parts from NAME.parts.json beside a scene's file NAME.*, else features among the file's columns.

    Raises UserError for a list of parts, or for words, that do not fit the scene.
    """
    if not isinstance(scene, Primitives) or not len(scene.means):
        return None
    parts, words = (_beside(path, what) for what in ("parts", "words"))
    if parts is not None:
        return _parts(parts, len(scene.means))
    columns = [(n, v) for n, v in scene.extra.named_buffers() if v.ndim == 2 and v.shape[1] >= 3]
    columns.sort(key=lambda column: column[0] != FEATURES)
    name, vectors = next(((n, v) for n, v in columns if v.is_floating_point()), ("", None))
    if vectors is None:
        return None
    known = {} if words is None else read_words(words, vectors.shape[1])
    return Features(vectors.float().nan_to_num(0.0), name, known)


def _beside(path: Path | None, what: str) -> Path | None:
    """NAME.what.json beside a file NAME.*, if it is there."""
    found = path.with_name(f"{path.name.partition('.')[0]}.{what}.json") if path is not None else None
    return found if found is not None and found.is_file() else None


def _parts(path: Path, count: int) -> Parts:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names, part = tuple(map(str, content["labels"])), torch.tensor(content["part"], dtype=torch.int64)
        if part.shape != (count,) or not ((part >= 0) & (part < len(names))).all():
            raise ValueError(f"{len(names)} labels for {tuple(part.shape)} parts")
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{path} does not fit its scene ({error}); expected labels, and {count} parts"
        ) from error
    return Parts(names, part)
