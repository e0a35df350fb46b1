"""What a table is made of in words: `esd=0.5`, `vsd+fake=own`, `leak=0.8+bias=0.5`, and lists of them.

Two numbers have a colon between them: `sds+t_first=0.02:0.98`.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from distill3d import plugins
from distill3d.errors import UserError, unknown
from distill3d.objective import Objective
from distill3d.priors.exact import Exact
from distill3d.recipe import NO_JANUS, STEPS

HELP = "distill3d generate --help"


def _pair(text: str) -> tuple[float, float]:
    low, high = text.split(":")
    return float(low), float(high)


TRUTHS = {"true": True, "false": False}
PAIR = tuple[float, float]
READERS = {
    int: int,
    float: float,
    float | None: float,
    str: str,
    bool: lambda text: TRUTHS[text.lower()],
    PAIR: _pair,
    PAIR | None: _pair,
}
"""How the value of an option is read, by the type of its field."""


def words(text: str) -> list[str]:
    """`a, b` as its words, each once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",")))


def objective(label: str) -> Objective:
    """A fresh method from its name and options: `vsd+fake=own`; `esd=0.5` is short for `esd+entropy=0.5`.

    `no-janus` is the method of that preset.
    """
    if label == "no-janus":
        return _preset(NO_JANUS)
    name, *options = label.split("+")
    name, short, entropy = name.partition("=")
    kind = plugins.load("objectives", name, "method", HELP)
    return kind(**_settings(kind, [f"entropy={entropy}", *options] if short else options, label))


def _preset(flags: Mapping[str, Any]) -> Objective:
    """A method from its flags, as `generate --preset` gives them."""
    settings = {
        name.removeprefix("method."): value for name, value in flags.items() if name.startswith("method.")
    }
    return plugins.load("objectives", flags["method"], "method", HELP)(**settings)


def steps(label: str, usual: int) -> int:
    """How many steps a method takes where `usual` are asked for: `no-janus` takes as many more as it does."""
    return usual * NO_JANUS["steps"] // STEPS if label == "no-janus" else usual


def prior(label: str) -> Exact:
    """The exact prior at some options: `leak=0.8+bias=0.5`."""
    return Exact(**_settings(Exact, label.split("+"), label))


def _settings(kind: type, options: Sequence[str], label: str) -> dict[str, Any]:
    """Options `name=value` as keywords for a dataclass."""
    types = typing.get_type_hints(kind)
    readers = {
        field.name: READERS[types[field.name]]
        for field in dataclasses.fields(kind)
        if types[field.name] in READERS
    }
    settings = {}
    for option in options:
        name, _, value = option.partition("=")
        if name not in readers:
            raise unknown(f"option of {kind.__name__.lower()}", name, readers, HELP)
        try:
            settings[name] = readers[name](value)
        except (ValueError, KeyError) as error:
            raise UserError(
                f'"{value}" is no value for {name} in {label}; expected {name}=VALUE as in {HELP}'
            ) from error
    return settings
