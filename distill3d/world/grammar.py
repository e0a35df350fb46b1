"""The grammar of prompts.

    prompt   = [view "view of"] thing [relation thing] [[","] view "view"]
    thing    = [article] {size | colour} kind ["with" part {"and" part}]
    part     = [article] colour label
    relation = "on" | "next to" | "in front of" | "behind"

"a tiny red robot with blue eyes on a wooden table, back view" uses all of it.
Case, articles and commas do not matter.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

from distill3d.world.colours import COLOURS, MATERIALS, SHADES
from distill3d.world.kinds import kinds
from distill3d.world.views import VIEWS

SIZES = ("tiny", "small", "large", "tall", "short", "wide", "thin")
RELATIONS = ("on", "next to", "in front of", "behind")
SYNONYMS = {
    "little": "small", "big": "large", "huge": "large", "slim": "thin", "narrow": "thin",
    "grey": "gray", "gold": "golden", "wood": "wooden", "steel": "metal",
    "automobile": "car", "plane": "airplane", "aeroplane": "airplane", "tv": "television", "cup": "mug",
    "bunny": "rabbit", "puppy": "dog", "kitten": "cat", "locomotive": "train", "ship": "boat",
    "cottage": "house",
}  # fmt: skip
_PHRASES = {"on top of": "on", "beside": "next to", "top view": "overhead view", "rear view": "back view"}
_FILLERS = ("a", "an", "the", "some", "of", "and", "with", "view")


class PromptError(ValueError):
    """A prompt that the grammar cannot read."""


class UnknownWord(PromptError):
    """A prompt with a word that the world does not know."""


@dataclass(frozen=True)
class Thing:
    """One object of a prompt; without `colour` it has its kind's; `part_colours` maps labels to colours."""

    kind: str
    colour: str | None = None
    size: str | None = None
    part_colours: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def text(self) -> str:
        """The phrase, such as "a red robot with blue eyes"."""
        words = [word for word in (self.size, self.colour, self.kind) if word]
        with_parts = " and ".join(f"{colour} {label}" for label, colour in self.part_colours.items())
        article = "an" if words[0][0] in "aeiou" else "a"
        return " ".join([article, *words, *(["with", with_parts] if with_parts else [])])


@dataclass(frozen=True)
class Description:
    """What a prompt says: one thing, or two in a relation, and from where they are seen, if it says so."""

    things: tuple[Thing, ...]
    relation: str | None = None
    view: str | None = None

    @property
    def subject(self) -> str:
        """The canonical prompt without its view word."""
        return f" {self.relation} ".join(thing.text for thing in self.things)

    @property
    def text(self) -> str:
        """The canonical prompt: `describe(d.text) == d`."""
        return f"{self.subject}, {self.view} view" if self.view else self.subject


@cache
def _vocabulary() -> dict[str, tuple[str, ...]]:
    return {
        "kind": tuple(kinds()),
        "part": tuple(sorted({label for kind in kinds().values() for label in kind.labels})),
        "colour": tuple(COLOURS),
        "material": tuple(MATERIALS),
        "shade": SHADES,
        "size": SIZES,
        "relation": RELATIONS,
        "view": VIEWS,
    }


def vocabulary() -> dict[str, list[str]]:
    """Every word of the world by class: kind, part, colour, material, shade, size, relation, view."""
    return {name: list(words) for name, words in _vocabulary().items()}


@lru_cache(maxsize=256)
def describe(prompt: str) -> Description:
    """Read a prompt. Raises `UnknownWord` or another `PromptError`, a sentence that says what to write."""
    words = _words(prompt)
    if not words:
        raise PromptError('the prompt is empty; name an object, such as "a red robot"')
    view, words = _without_view(words, prompt)
    at = [i for i, word in enumerate(words) if word in RELATIONS]
    if len(at) > 1:
        raise PromptError(
            f'two relations in "{prompt}"; at most two objects and one relation can be described'
        )
    if not at:
        return Description((_thing(words, prompt),), None, view)
    before, after = words[: at[0]], words[at[0] + 1 :]
    return Description((_thing(before, prompt), _thing(after, prompt)), words[at[0]], view)


def _words(prompt: str) -> list[str]:
    """The words in lower case, relations joined to one word, synonyms replaced; all of them known."""
    text = " ".join(re.findall(r"[^\s,.;!]+", prompt.lower()))
    for phrase, word in _PHRASES.items():
        text = re.sub(rf"\b{phrase}\b", word, text)
    joined = {relation: relation.replace(" ", "_") for relation in RELATIONS}
    for relation, token in joined.items():
        text = re.sub(rf"\b{relation}\b", token, text)
    spaced = {token: relation for relation, token in joined.items()}
    words = [spaced.get(word, word) for word in text.split()]
    words = [_known(word, prompt) for word in words]
    return [word for word in words if word not in ("a", "an", "the", "some")]


def _known(word: str, prompt: str) -> str:
    """The world's word for `word`: itself, a synonym, or a part in its other number (eye, eyes)."""
    listed = {known for known_words in _vocabulary().values() for known in known_words}
    parts = _vocabulary()["part"]
    for candidate in (word, SYNONYMS.get(word, word)):
        if candidate in listed or candidate in _FILLERS:
            return candidate
    for candidate in (f"{word}s", word.removesuffix("s")):
        if candidate in parts:
            return candidate
    nearest = difflib.get_close_matches(word, [*listed, *SYNONYMS], n=3, cutoff=0.5)
    hint = f"nearest known: {', '.join(nearest)}; " if nearest else ""
    raise UnknownWord(
        f'unknown word "{word}" in "{prompt}"; {hint}'
        f"the world knows {len(listed)} words (distill3d world lists them)."
    )


def _without_view(words: list[str], prompt: str) -> tuple[str | None, list[str]]:
    """The view word and the rest of the words."""
    if "view" not in words:
        return None, words
    at = words.index("view")
    view = words[at - 1] if at else ""
    if view not in VIEWS:
        raise PromptError(f'which view is meant in "{prompt}"? Write {_either(VIEWS)} before "view"')
    if at == 1 and words[2:3] == ["of"]:
        return view, words[3:]
    if at == len(words) - 1:
        return view, words[: at - 1]
    raise PromptError(
        f'write the view at the end of "{prompt}" (", {view} view") or at its start ("{view} view of")'
    )


def _thing(words: list[str], prompt: str) -> Thing:
    at = words.index("with") if "with" in words else len(words)
    noun, with_parts = words[:at], words[at + 1 :]
    if not noun or noun[-1] not in kinds():
        raise PromptError(_no_kind(words, noun, prompt))
    kind = noun.pop()
    for other in (word for word in noun if word in kinds()):
        raise PromptError(
            f'"{other}" and "{kind}" stand side by side in "{prompt}"; put {_either(RELATIONS)} between them'
        )
    size = [word for word in noun if word in SIZES]
    colour = [word for word in noun if _is_colour(word) or word in SHADES]
    for word in noun:
        if word not in size and word not in colour:
            raise PromptError(f'"{word}" does not describe a {kind} in "{prompt}"; use a size or a colour')
    if len(size) > 1:
        raise PromptError(f'two sizes, {" and ".join(size)}, for one {kind} in "{prompt}"; keep one')
    if at < len(words) and not with_parts:
        raise PromptError(f'"with" what in "{prompt}"? Name a coloured part: {_either(kinds()[kind].labels)}')
    return Thing(
        kind,
        _colour(colour, kind, prompt),
        size[0] if size else None,
        _part_colours(with_parts, kind, prompt),
    )


def _no_kind(words: list[str], noun: list[str], prompt: str) -> str:
    if not words:
        return f'an object is missing in "{prompt}"; name one on each side, such as "a mug on a table"'
    last = f' after "{noun[-1]}"' if noun else ""
    return f'no object is named{last} in "{prompt}"; add a kind, such as {_either(tuple(kinds())[:4])}'


def _part_colours(words: list[str], kind: str, prompt: str) -> dict[str, str]:
    labels = kinds()[kind].labels
    colours: dict[str, str] = {}
    pending: list[str] = []
    for word in words:
        if word in labels:
            if word in colours:
                raise PromptError(f'the {word} of the {kind} have two colours in "{prompt}"; keep one')
            colour = _colour(pending, word, prompt)
            if colour is None:
                raise PromptError(
                    f'which colour have the {word} of the {kind} in "{prompt}"? Put one before "{word}"'
                )
            colours[word], pending = colour, []
        elif _is_colour(word) or word in SHADES:
            pending.append(word)
        elif word != "and":
            raise PromptError(f'a {kind} has no {word} in "{prompt}"; its parts are {", ".join(labels)}')
    if pending:
        raise PromptError(
            f'what is {pending[-1]} in "{prompt}"? Name a part of the {kind}: {", ".join(labels)}'
        )
    return colours


def _colour(words: list[str], what: str, prompt: str) -> str | None:
    """A colour with its shade, such as "dark red", or None where no word is given."""
    if not words:
        return None
    *shades, colour = words
    if not _is_colour(colour):
        raise PromptError(f'"{colour}" must stand before a colour in "{prompt}", as in "{colour} red"')
    if any(word not in SHADES for word in shades) or len(shades) > 1:
        raise PromptError(f'two colours, {" and ".join(words)}, for one {what} in "{prompt}"; keep one')
    return " ".join(words)


def _is_colour(word: str) -> bool:
    return word in COLOURS or word in MATERIALS


def _either(words: tuple[str, ...]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
