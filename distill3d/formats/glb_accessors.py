"""Numbers in glTF: accessors read as floats, whatever they are stored as, and new ones added.

Source: glTF 2.0 specification, sections 3.6.2 and 3.11.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from distill3d.errors import UserError
from distill3d.ply import MAX_COUNT

FLOAT = 5126
DTYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", FLOAT: "<f4"}
ITEMS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


def whole(value: Any) -> int:
    """A count or an index; raises ValueError for what is none."""
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{str(value)[:20]} where a count was expected")
    return value


def column(content: dict[str, Any], binary: bytes | bytearray, index: Any) -> np.ndarray:
    """An accessor's rows as float32, [N, items]; normalised where it says so."""
    accessor = content["accessors"][whole(index)]
    view = content["bufferViews"][whole(accessor["bufferView"])]
    kind, items = np.dtype(DTYPES[accessor["componentType"]]), ITEMS[accessor["type"]]
    count, row = whole(accessor["count"]), kind.itemsize * items
    begin = whole(view.get("byteOffset", 0)) + whole(accessor.get("byteOffset", 0))
    stride = whole(view.get("byteStride", row))
    if count > MAX_COUNT or stride < row:
        raise UserError(f"the GLB says {count} rows of {stride} bytes; expected at most {MAX_COUNT} of {row}")
    if not count:
        return np.zeros((0, items), np.float32)
    rows = np.ndarray((count, items), kind, binary, begin, (stride, kind.itemsize))
    if accessor.get("normalized") is True and kind.kind != "f":
        return np.maximum(rows.astype(np.float32) / np.float32(np.iinfo(kind).max), np.float32(-1))
    return rows.astype(np.float32)


def add(content: dict[str, Any], binary: bytearray, values: np.ndarray) -> int:
    """Put rows [N, items] behind all others as float32; the index of their accessor."""
    binary += bytes(-len(binary) % 4)
    rows = np.ascontiguousarray(values, "<f4").tobytes()
    view = {"buffer": 0, "byteOffset": len(binary), "byteLength": len(rows)}
    content["bufferViews"].append(view)
    binary += rows
    accessor = {"componentType": FLOAT, "count": len(values), "type": TYPES[values.shape[1]]}
    content["accessors"].append({"bufferView": len(content["bufferViews"]) - 1, **accessor})
    content["buffers"][0]["byteLength"] = len(binary)
    return len(content["accessors"]) - 1
