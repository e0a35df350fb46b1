"""The words that the closed world knows."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from distill3d.commands import _flags


@dataclass(frozen=True)
class Options:
    """The words that the closed world knows, by class of word."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    _flags.parse(Options, argv, "world")

    from distill3d.world.grammar import vocabulary

    words = vocabulary()
    width = max(map(len, words))
    for name, members in words.items():
        indent = f"{name:{width}}  "
        print(
            textwrap.fill(", ".join(members), 100, initial_indent=indent, subsequent_indent=" " * len(indent))
        )
    print(
        '\nFor instance: "a red robot with blue eyes", "a green mug on a wooden table", "back view of a duck"'
    )
    return 0
