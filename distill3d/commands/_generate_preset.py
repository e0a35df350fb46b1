"""`generate --preset NAME`: flags of the method under one name. Flags that are given win over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import tyro

from distill3d import plugins
from distill3d.commands import _flags
from distill3d.errors import UserError, unknown
from distill3d.recipe import METHOD, NO_JANUS


def _words(flags: Mapping[str, Any]) -> list[str]:
    """Flags as on a command line."""
    words: list[str] = []
    for name, value in flags.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words


PRESETS = {
    "no-janus": "one face on every object, where a prior prefers fronts: " + " ".join(_words(NO_JANUS)),
    "published": "the settings of the method's paper, for priors such as Stable Diffusion",
}
Preset = Annotated[
    Literal["", "no-janus", "published"],
    tyro.conf.arg(
        help="Flags of the method under one name; those that are given win. By default the closed world's.\n"
        + "\n".join(f"  {name:9}  {line}" for name, line in PRESETS.items()),
        metavar="NAME",
    ),
]


def expanded(argv: Sequence[str]) -> list[str]:
    """`argv` with the flags that its --preset stands for before all others."""
    name = _flags.given(argv, "preset")
    if not name:
        return list(argv)
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS, "distill3d generate --help")
    method = _flags.given(argv, "method")
    if name == "no-janus":
        return [*_words(_without_janus(method)), *argv]
    method = METHOD if method is None else method
    path = plugins.find("objectives", method, "method", "distill3d generate --help")
    settings = plugins.class_constant(path, "PUBLISHED")
    if not settings:
        raise UserError(f"--method {method} has no published settings; leave out --preset published")
    return [*_words({"method": method, **{f"method.{k}": v for k, v in settings.items()}}), *argv]


def _without_janus(method: str | None) -> Mapping[str, Any]:
    if method not in (None, NO_JANUS["method"]):
        raise UserError(
            f"--preset no-janus is a setting of --method {NO_JANUS['method']} and --method {method} was "
            "given; leave out one of the two"
        )
    return NO_JANUS
