"""Messages to and from bytes: what a page sends goes no further unless it is what protocol.py says."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import struct
import types
import typing
from typing import Any, Literal

from distill3d.viewer import protocol
from distill3d.viewer.headers import ArrayHeader, FrameHeader

MOST_ITEMS = 64
"""In a list that a page sends."""
MOST_LETTERS = 1000
"""In a text that a page sends."""
LARGEST = 2**32 - 1
"""Of whole numbers, so that headers can hold them."""


def encode(message: Any) -> str:
    """The JSON of a message of the protocol."""
    return json.dumps(dataclasses.asdict(message), allow_nan=False, separators=(",", ":"))


def decode(text: str) -> Any:
    """A message from the page.

    Raises ValueError, in a sentence, for anything that protocol.FromPage does not have.
    """
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"a message is not JSON ({str(error)[:80]})") from error
    if not isinstance(content, dict):
        raise ValueError(f"a message is a JSON {type(content).__name__}; expected an object")
    kind = content.get("type")
    message = _messages().get(kind) if isinstance(kind, str) else None
    if message is None:
        raise ValueError(f"a message of type {str(kind)[:40]!r}; expected {', '.join(_messages())}")
    return _read(message, content, str(kind))


def pack(header: FrameHeader | ArrayHeader, *payload: bytes) -> bytes:
    """A binary message."""
    return b"".join([struct.pack(header.LAYOUT, *dataclasses.astuple(header)), *payload])


def unpack(data: bytes) -> tuple[FrameHeader | ArrayHeader, bytes]:
    """The header of a binary message, and what follows."""
    header = ArrayHeader if data[0] == 3 else FrameHeader
    return header(*struct.unpack_from(header.LAYOUT, data)), data[struct.calcsize(header.LAYOUT) :]


@functools.cache
def _messages() -> dict[str, Any]:
    """The dataclasses that a page may send, by their `type`."""
    return {m.type: m for m in typing.get_args(protocol.FromPage)}


@functools.cache
def _hints(message: Any) -> dict[str, Any]:
    return typing.get_type_hints(message)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _read(kind: Any, content: Any, where: str) -> Any:
    """A dataclass from a JSON object that has its fields and no others."""
    hints = _hints(kind)
    if not isinstance(content, dict) or set(content) != set(hints):
        given = ", ".join(sorted(map(str, content)))[:120] if isinstance(content, dict) else "something else"
        raise ValueError(f"{where} has {given}; expected {', '.join(sorted(hints))}")
    return kind(**{name: _value(hint, content[name], f"{where}.{name}") for name, hint in hints.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    """A JSON value of the type that a field has; whole numbers may stand for floats."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if isinstance(value, str) and value in arguments:
            return value
    elif origin in (types.UnionType, typing.Union):
        inner = next(a for a in arguments if a is not type(None))
        return None if value is None else _value(inner, value, where)
    elif origin is tuple:
        return _items(arguments, value, where)
    elif dataclasses.is_dataclass(hint):
        return _read(hint, value, where)
    elif _fits(hint, value):
        return hint(value)
    raise ValueError(f"{where} is {str(value)[:40]!r}; expected {_words(hint)}")


def _items(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    many = arguments[-1] is ...
    wanted = len(value) if many and isinstance(value, list) else len(arguments)
    if not isinstance(value, list) or len(value) != wanted or len(value) > MOST_ITEMS:
        raise ValueError(f"{where} is {str(value)[:40]!r}; expected a list of {'items' if many else wanted}")
    return tuple(_value(arguments[0], item, where) for item in value)


def _fits(hint: Any, value: Any) -> bool:
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
    if hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and abs(value) < 1e30 and math.isfinite(value)
    return isinstance(value, str) and len(value) <= MOST_LETTERS


def _words(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " or ".join(map(str, typing.get_args(hint)))
    return {
        bool: "true or false",
        int: f"a whole number, 0 to {LARGEST}",
        float: "a finite number",
        str: f"a text of at most {MOST_LETTERS} letters",
    }[hint]
