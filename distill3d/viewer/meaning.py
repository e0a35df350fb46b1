"""What primitives mean: the parts they belong to, or features that were lifted onto them.

Features are a column of vectors in a scene's own file, one for each primitive. Those of a model that reads
know words too: their vectors stand beside the file NAME.* in NAME.words.json,

    {"words": {"roof": [0.1, -0.3, …], "wall": […], …}}

each as long as the features are, and in the same space. Parts stand in NAME.parts.json, see `Parts`.
"""

from __future__ import annotations

import colorsys
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from distill3d.errors import UserError
from distill3d.representations._primitives import Primitives
from distill3d.scene import Scene

GOLDEN = 0.618034
"""Of a turn between the hues of two parts, so that neighbours in the list differ."""
SHOWN_SHARE = 0.01
"""Of the values on either side of a component that colours do not tell apart."""


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
        wanted = set(_words(text))
        fits = torch.tensor([bool(wanted & set(_words(name))) for name in self.names])
        if not fits.any():
            raise ValueError(f"no part is called {text[:40]!r}; there are {', '.join(self.names)[:300]}")
        return fits[self.part].float()

    def like_primitive(self, chosen: int) -> Float[Tensor, " N"]:
        return (self.part == self.part[chosen]).float()


@dataclass(frozen=True)
class Features:
    """Each primitive has a vector; those that point the same way mean the same."""

    vectors: Float[Tensor, "N D"]
    label: str
    words: Mapping[str, Float[Tensor, " D"]] = field(default_factory=dict)
    """Directions that have names, in lower case."""

    def colours(self) -> Float[Tensor, "N 3"]:
        """The three principal components, each from dark to light; the basis is that of the whole scene."""
        centred = self.vectors.double() - self.vectors.double().mean(0)
        axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -3:].flip(1)
        axes = axes * torch.where(axes.sum(0) < 0, -1.0, 1.0)
        components = (centred @ axes).float()
        ordered, stray = components.sort(dim=0).values, int(SHOWN_SHARE * len(components))
        low, high = ordered[stray], ordered[-1 - stray]
        return ((components - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)

    def like_words(self, text: str) -> Float[Tensor, " N"]:
        """The cosine to the mean direction of all the known words that the text has."""
        if not self.words:
            raise ValueError(f"{self.label} knows no words; click a primitive to see what is like it")
        said = set(_words(text))
        known = [vector for word, vector in self.words.items() if said.issuperset(_words(word))]
        if not known:
            raise ValueError(
                f"{self.label} does not know {text[:40]!r}; it knows {', '.join(self.words)[:300]}"
            )
        directions = torch.nn.functional.normalize(torch.stack(known), dim=1)
        return self._cosine(directions.mean(0))

    def like_primitive(self, chosen: int) -> Float[Tensor, " N"]:
        return self._cosine(self.vectors[chosen])

    def _cosine(self, direction: Float[Tensor, " D"]) -> Float[Tensor, " N"]:
        return torch.nn.functional.cosine_similarity(self.vectors, direction[None], dim=1)


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
    name, vectors = next(((n, v) for n, v in columns if v.is_floating_point()), ("", None))
    if vectors is None:
        return None
    known = {} if words is None else _vocabulary(words, vectors.shape[1])
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


def _vocabulary(path: Path, length: int) -> dict[str, Tensor]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["words"]
        words = {str(word).lower(): torch.tensor(v, dtype=torch.float32) for word, v in dict(content).items()}
        for word, vector in words.items():
            if not _words(word) or vector.shape != (length,) or not vector.isfinite().all():
                raise ValueError(f"{word[:40]!r} has {tuple(vector.shape)} numbers")
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{path} does not fit its scene ({error}); expected words with {length} finite numbers each, as "
            "its features have"
        ) from error
    return words


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())
