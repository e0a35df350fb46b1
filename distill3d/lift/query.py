"""What features are asked: colours for all of them, and how well each fits some words or is like another.

Features are compared by the cosine of their angle. Words are directions in the same space that have names, by
a model that reads; they stand in a file of their own,

    {"words": {"roof": [0.1, -0.3, …], "wall": […], …}}

each as long as the features are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import atomic
from distill3d.errors import UserError

FEATURES, RELIABILITY = "features", "reliability"
"""The columns of a scene's file that hold them, and how far each is to be trusted."""
SHOWN_SHARE = 0.01
"""Of the values on either side of a component that colours do not tell apart."""


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
        said = set(words_of(text))
        known = [vector for word, vector in self.words.items() if said.issuperset(words_of(word))]
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


def read_words(path: Path, length: int) -> dict[str, Float[Tensor, " D"]]:
    """The words in a file, in lower case; each of this length. Raises UserError if they are not."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["words"]
        words = {str(word).lower(): torch.tensor(v, dtype=torch.float32) for word, v in dict(content).items()}
        for word, vector in words.items():
            if not words_of(word) or vector.shape != (length,) or not vector.isfinite().all():
                raise ValueError(f"{word[:40]!r} has {tuple(vector.shape)} numbers")
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{path} does not fit its scene ({error}); expected words with {length} finite numbers each, as "
            "its features have"
        ) from error
    return words


def write_words(path: Path, words: Mapping[str, Float[Tensor, " D"]]) -> None:
    """The file that `read_words` reads."""
    content = {"words": {word: vector.tolist() for word, vector in words.items()}}
    atomic.write(path, (json.dumps(content) + "\n").encode())


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case and in its order."""
    return re.findall(r"[^\W_]+", text.lower())
