"""What may go wrong through no fault of the program: each error is one sentence for its user."""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(Exception):
    """What was given, what was expected, and what to do, in one sentence. The exit code is 2."""


class Lost(UserWarning):
    """Something was left out, and the rest is as it should be: what it is, in one sentence."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C where it was expected; says how to go on. The exit code is 130."""


def unknown(what: str, given: str, known: Iterable[str], where: str) -> UserError:
    """`unknown method "esdd"; did you mean esd? distill3d generate --help lists them.`"""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=2, cutoff=0.6)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        hint = f"known are {', '.join(names)}." if 0 < len(names) <= 12 else f"there are {len(names)}."
    return UserError(f'unknown {what} "{given}"; {hint} {where} lists them.')


@contextmanager
def given_by_user() -> Iterator[None]:
    """Inside, things are built from what the user gave: a ValueError becomes a `UserError`."""
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from error


def lost(sentence: str) -> None:
    """Warn that something was left out: a `Lost`, which commands print in one line."""
    warnings.warn(sentence, Lost, stacklevel=3)


@contextmanager
def losses_printed() -> Iterator[None]:
    """Inside, each `Lost` is a line on standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", Lost)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: object) -> None:
            if issubclass(category, Lost):
                print(f"warning: {message}", file=sys.stderr)
            else:
                shown(message, category, *where)  # pyright: ignore[reportArgumentType]

        warnings.showwarning = show
        yield
