"""The protocol as TypeScript: `python -m distill3d.viewer.typescript > viewer/src/net/protocol.ts`."""

from __future__ import annotations

import dataclasses
import struct
import types
import typing
from typing import Any, Literal

from distill3d.viewer import headers, protocol

HEADERS = (headers.FrameHeader, headers.ArrayHeader)
ALIASES = ("Channel", "Action", "State", "Shown")
READERS = {"B": "getUint8", "H": "getUint16", "I": "getUint32", "f": "getFloat32"}


def typescript() -> str:
    """The whole file."""
    messages = [c for c in vars(protocol).values() if dataclasses.is_dataclass(c)]
    parts = ["// Written by `python -m distill3d.viewer.typescript` from distill3d/viewer/protocol.py."]
    constants = {name: value for module in (protocol, headers) for name, value in vars(module).items()}
    parts.append(
        "\n".join(
            f"export const {name} = {value};" for name, value in constants.items() if isinstance(value, int)
        )
    )
    parts.append("\n".join(f"export type {name} = {_type(getattr(protocol, name))};" for name in ALIASES))
    parts += [_interface(message) for message in messages]
    parts += [_header(header) for header in HEADERS]
    for name in ("FromPage", "FromServer"):
        members = typing.get_args(getattr(protocol, name))
        parts.append(f"export type {name} = {' | '.join(m.__name__ for m in members)};")
    return "\n\n".join(parts) + "\n"


def _interface(message: Any) -> str:
    hints = typing.get_type_hints(message)
    lines = [f"  {field.name}: {_type(hints[field.name])};" for field in dataclasses.fields(message)]
    return "\n".join([f"export interface {message.__name__} {{", *lines, "}"])


def _header(header: Any) -> str:
    """The interface of a header, and a function that reads one."""
    name, lines = header.__name__, []
    letters = iter(_letters(header.LAYOUT))
    for field in dataclasses.fields(header):
        letter, offset = next(letters)
        little = "" if letter == "B" else ", true"
        lines.append(f"    {field.name}: view.{READERS[letter]}({offset}{little}),")
    begin = f"export function read{name}(view: DataView): {name} {{\n  return {{"
    return "\n".join([_interface(header), "", begin, *lines, "  };", "}"])


def _letters(layout: str) -> list[tuple[str, int]]:
    """Each field's letter of `struct` with its offset in bytes."""
    found: list[tuple[str, int]] = []
    for i, letter in enumerate(layout):
        if letter in READERS:
            found.append((letter, struct.calcsize(layout[:i])))
    return found


def _type(hint: Any) -> str:
    """A type of the protocol in TypeScript."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in (types.UnionType, typing.Union):
        return " | ".join(_type(argument) for argument in arguments)
    if origin is tuple and arguments[-1] is ...:
        inner = _type(arguments[0])
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if origin is tuple:
        return f"[{', '.join(map(_type, arguments))}]"
    if origin is dict:
        return f"Record<{_type(arguments[0])}, {_type(arguments[1])}>"
    if dataclasses.is_dataclass(hint):
        return hint.__name__  # pyright: ignore[reportAttributeAccessIssue]
    return {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}[hint]


if __name__ == "__main__":
    print(typescript(), end="")
