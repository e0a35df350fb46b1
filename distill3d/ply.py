"""PLY, the container: elements of named properties. Read by name; every length and count is checked first.

Source: Greg Turk, "The PLY Polygon File Format" (1994).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np

from distill3d.errors import UserError

MAX_COUNT = 50_000_000
MAX_HEADER_BYTES = 64 * 1024
MAX_PROPERTIES = 1024
ASCII = "ascii"
ENDIANS = {"binary_little_endian": "<", "binary_big_endian": ">", ASCII: ASCII}
"""By the format that the header names: the byte order as NumPy writes it, or numbers as text."""
TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4"}
TYPES |= {"double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4"}
TYPES |= {"uint32": "u4", "float32": "f4", "float64": "f8"}
TYPE_NAMES = {code: name for name, code in reversed(TYPES.items())}
"""How a header calls NumPy's types: by the names of 1994, which every reader knows."""


@dataclass
class Element:
    """`element NAME COUNT` of a header, with its properties."""

    name: str
    count: int
    properties: list[tuple[str, str]] = field(default_factory=list)
    lists: bool = False
    """Whether a property is a list, so that the rows have no common length."""


def read_element(data: bytes, name: str) -> np.ndarray:
    """The rows of one element as a structured array. Elements before it may not hold lists."""
    endian, elements, at = read_header(data)
    for element in elements:
        if element.lists:
            raise UserError(
                f"the PLY's element {element.name} holds lists; expected plain numbers, as in Gaussians"
            )
        if endian == ASCII:
            rows, at = _rows_of_text(data, at, element)
            if element.name == name:
                return rows
            continue
        row = np.dtype([(n, endian + t) for n, t in element.properties])
        size = element.count * row.itemsize
        if at + size > len(data):
            raise UserError(
                f"the PLY ends after {len(data)} bytes, but {element.count} rows of {element.name} need "
                f"{at + size}; the file is cut short, so fetch it again"
            )
        if element.name == name:
            return np.frombuffer(data, row, element.count, at)
        at += size
    raise UserError(f"the PLY has no element {name}; it has {', '.join(e.name for e in elements) or 'none'}")


def _rows_of_text(data: bytes, at: int, element: Element) -> tuple[np.ndarray, int]:
    """The rows of an element whose lines begin there, and where the next one's do."""
    end = at
    for _ in range(min(element.count, len(data) - at)):
        end = data.find(b"\n", end) + 1 or len(data)
    names = [name for name, _ in element.properties]
    try:
        with warnings.catch_warnings(action="error"):
            numbers = np.fromstring(data[at:end].decode("ascii"), np.float64, sep=" ")
    except (ValueError, DeprecationWarning) as error:  # older ones of NumPy only warn of what is no number
        raise UserError(
            f"the PLY's lines of {element.name} hold something else than numbers; fetch the file again"
        ) from error
    if len(numbers) != element.count * len(names):
        raise UserError(
            f"the PLY's lines of {element.name} hold {len(numbers)} numbers, and {element.count} rows need "
            f"{element.count * len(names)}; the file is cut short or damaged, so fetch it again"
        )
    rows = np.empty(element.count, np.dtype(element.properties))
    table = numbers.reshape(element.count, len(names))
    for column, (name, kind) in zip(table.T, element.properties, strict=True):
        if kind[0] in "iu" and not ((column >= np.iinfo(kind).min) & (column <= np.iinfo(kind).max)).all():
            raise UserError(f"the PLY's property {name} has numbers that are no {kind}; fetch it again")
        with np.errstate(over="ignore"):
            rows[name] = column
    return rows, end


def comment(data: bytes, name: str) -> list[str]:
    """The words of the header's last comment that begins with `name`; none where there is none."""
    header = data[: data.find(b"end_header", 0, MAX_HEADER_BYTES)].decode("ascii", errors="replace")
    lines = [line.split() for line in header.splitlines()]
    return next((words[2:] for words in reversed(lines) if words[:2] == ["comment", name]), [])


def read_header(data: bytes) -> tuple[str, list[Element], int]:
    """One of the values of `ENDIANS`, the elements, and where the rows begin."""
    end = data.find(b"end_header", 0, MAX_HEADER_BYTES)
    line_end = data.find(b"\n", end)
    if not data.startswith(b"ply") or end < 0 or line_end < 0:
        raise UserError("not a PLY: expected a header from ply to end_header at the start of the file")
    endian, elements = "", list[Element]()
    for line in data[:end].decode("ascii", errors="replace").splitlines()[1:]:
        words = line.split()
        match words:
            case ["format", kind, _] if kind in ENDIANS:
                endian = ENDIANS[kind]
            case ["format", kind, *_]:
                raise UserError(f"the PLY is {kind}; expected {' or '.join(ENDIANS)}, so convert it first")
            case ["element", name, count] if count.isdecimal() and int(count) <= MAX_COUNT:
                elements.append(Element(name, int(count)))
            case ["property", "list", _, _, _] if elements:
                elements[-1].lists = True
            case ["property", kind, name] if elements and kind in TYPES:
                _add(elements[-1], name, TYPES[kind])
            case [] | ["comment", *_] | ["obj_info", *_]:
                pass
            case _:
                raise UserError(f'the PLY\'s header has "{line[:60]}"; expected format, element or property')
    if not endian:
        raise UserError(f"the PLY's header names no format; expected one of {', '.join(ENDIANS)}")
    return endian, elements, line_end + 1


def _add(element: Element, name: str, kind: str) -> None:
    if len(element.properties) >= MAX_PROPERTIES or name in dict(element.properties):
        raise UserError(f"the PLY's property {name} comes twice, or there are more than {MAX_PROPERTIES}")
    element.properties.append((name, kind))
