"""GLB, the binary container of glTF 2.0: its JSON checked against its bytes, and the colours of vertices.

Source: glTF 2.0 specification, sections 3.6, 3.7 and 4. Vertex colours are amounts of light there, not
display values.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Collection
from typing import Any

import numpy as np

from distill3d.errors import UserError
from distill3d.formats import _picture, gltf
from distill3d.formats._light import to_light
from distill3d.formats.beside import Beside
from distill3d.formats.glb_accessors import DTYPES, ITEMS, whole

MAGIC = b"glTF"
JSON, BIN = 0x4E4F534A, 0x004E4942
ITEM_BYTES = {kind: np.dtype(name).itemsize for kind, name in DTYPES.items()}
UNDERSTOOD = ("KHR_materials_unlit", "KHR_mesh_quantization", gltf.TRANSFORM, gltf.WEBP)
"""Extensions that a mesh may need."""
NONSENSE = (TypeError, KeyError, ValueError, IndexError, AttributeError, RecursionError)
"""What goes wrong in JSON that is no glTF."""
REPEATED = 4
"""How often the bytes of a file may be used: accessors can share them, and nodes can share meshes."""
FREELY = 1_000_000
"""Rows of meshes that may be drawn again and again in any file."""
COLOURS = "_COLOR_0"
"""What vertex colours are called for trimesh, which would round them to 8 bits under their own name."""


def opened(data: bytes, beside: Beside) -> bytes:
    """A .glb or a .gltf for trimesh: plain, all counts checked, the colours of vertices called `COLOURS`."""
    content, binary = _chunks(data) if data.startswith(MAGIC) else (gltf.parsed(data), b"")
    try:
        _check_needed(content, UNDERSTOOD)
        binary = gltf.together(content, binary, beside)
        _check(content, binary, UNDERSTOOD)
        _check_textures(content, binary)
        binary = gltf.plain(content, binary)
        for mesh in content.get("meshes", []):
            for primitive in mesh["primitives"]:
                attributes = primitive["attributes"]
                if "COLOR_0" in attributes:
                    attributes[COLOURS] = attributes.pop("COLOR_0")
                    _check_colours(content["accessors"][attributes[COLOURS]])
    except NONSENSE as error:
        raise nonsense(error) from error
    return joined(content, binary)


def checked(data: bytes, understood: Collection[str] = UNDERSTOOD) -> tuple[dict[str, Any], bytes]:
    """The JSON and the bytes of a file that needs no extension but these; its counts fit its bytes."""
    content, binary = _chunks(data)
    try:
        _check(content, binary, understood)
    except NONSENSE as error:
        raise nonsense(error) from error
    return content, binary


def nonsense(error: Exception) -> UserError:
    """What to say of JSON in which something else was found than what should be there."""
    return UserError(f"the GLB's JSON makes no sense ({str(repr(error))[:80]}); expected glTF 2.0")


def with_colours(data: bytes, colours: np.ndarray) -> bytes:
    """The file of one mesh with display values [N, 3] at its vertices, kept as light in 16 bits."""
    content, binary = _chunks(data)
    opaque = np.concatenate([to_light(colours), np.ones((len(colours), 1))], 1)
    rows = np.round(65535 * opaque).astype("<u2").tobytes()
    content["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(rows)})
    accessor = {"bufferView": len(content["bufferViews"]) - 1, "componentType": 5123, "normalized": True}
    content["accessors"].append({**accessor, "count": len(colours), "type": "VEC4"})
    (primitive,) = content["meshes"][0]["primitives"]
    primitive["attributes"]["COLOR_0"] = len(content["accessors"]) - 1
    content["buffers"][0]["byteLength"] = len(binary) + len(rows)
    return joined(content, binary + rows)


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the bytes."""
    if len(data) < 20 or data[:4] != MAGIC or struct.unpack_from("<I", data, 4)[0] != 2:
        raise UserError("not a GLB of version 2; expected glTF 2.0 in its binary form")
    length, kind = struct.unpack_from("<II", data, 12)
    if kind != JSON or 20 + length > len(data):
        raise UserError(
            f"the GLB has {len(data)} bytes and says that its JSON has {length}; the file is cut short or "
            "damaged, so fetch it again"
        )
    try:
        content = json.loads(data[20 : 20 + length])
    except (ValueError, RecursionError) as error:
        raise UserError(f"the GLB's JSON cannot be read ({str(error)[:80]}); fetch it again") from error
    at, binary = 20 + length, b""
    if at + 8 <= len(data):
        length, kind = struct.unpack_from("<II", data, at)
        if kind == BIN:
            binary = data[at + 8 : at + 8 + length]
        if kind == BIN and len(binary) < length:
            raise UserError(
                f"the GLB ends {length - len(binary)} bytes too early; the file is cut short, fetch it again"
            )
    if not isinstance(content, dict):
        raise UserError("the GLB's JSON is no object; expected glTF 2.0")
    return content, binary


def joined(content: dict[str, Any], binary: bytes) -> bytes:
    """The file of some JSON and its bytes."""
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), JSON) + text
    if binary:
        binary += bytes(-len(binary) % 4)
        chunks += struct.pack("<II", len(binary), BIN) + binary
    return MAGIC + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def _check(content: dict[str, Any], binary: bytes, understood: Collection[str]) -> None:
    """Raise UserError for what would need more memory than the file has bytes, or another file."""
    _check_needed(content, understood)
    for thing in [*content.get("buffers", []), *content.get("images", [])]:
        if "uri" in thing:
            raise UserError("the GLB refers to another file or holds one as text; expected all bytes inside")
    accessors, views, used = content.get("accessors", []), content.get("bufferViews", []), 0
    for accessor in accessors:
        if "bufferView" not in accessor or "sparse" in accessor:
            raise UserError("the GLB has accessors without bytes, or sparse ones; export it without")
        view, count = views[whole(accessor["bufferView"])], whole(accessor["count"])
        row = ITEM_BYTES[accessor["componentType"]] * ITEMS[accessor["type"]]
        begin = whole(view.get("byteOffset", 0)) + whole(accessor.get("byteOffset", 0))
        end = begin + max(count - 1, 0) * whole(view.get("byteStride", row)) + row
        used += count * row
        if end > len(binary) or used > REPEATED * len(binary):
            raise UserError(
                f"the GLB's accessors need {max(end, used)} bytes, and it has {len(binary)}; fetch it again"
            )
    rows = [_rows(mesh, accessors) for mesh in content.get("meshes", [])]
    drawn = sum(rows[whole(node["mesh"])] for node in content.get("nodes", []) if "mesh" in node)
    if drawn > max(FREELY, REPEATED * len(binary)):
        raise UserError(f"the GLB draws its meshes so often that they have {drawn} corners; export fewer")


def _check_needed(content: dict[str, Any], understood: Collection[str]) -> None:
    needed = sorted(map(str, set(content.get("extensionsRequired", [])) - set(understood)))
    if needed:
        raise UserError(f"the GLB needs {', '.join(needed)}; export it without, uncompressed")


def _check_textures(content: dict[str, Any], binary: bytes) -> None:
    """Raise UserError for textures that would be left out."""
    for index, image in enumerate(content.get("images", [])):
        view = content["bufferViews"][whole(image["bufferView"])]
        begin = whole(view.get("byteOffset", 0))
        fault = _picture.fault(binary[begin : begin + whole(view["byteLength"])])
        if fault:
            raise UserError(f"picture {index} of the GLB {fault}; export it again with PNG or JPEG")


def _rows(mesh: dict[str, Any], accessors: list[dict[str, Any]]) -> int:
    """Corners of faces, or vertices where they are more."""
    total = 0
    for primitive in mesh["primitives"]:
        used = [
            *primitive["attributes"].values(),
            *([primitive["indices"]] if "indices" in primitive else []),
        ]
        total += max(whole(accessors[whole(index)]["count"]) for index in used)
    return total


def _check_colours(accessor: dict[str, Any]) -> None:
    if accessor["type"] not in ("VEC3", "VEC4") or accessor["componentType"] not in (5121, 5123, 5126):
        raise UserError(
            f"the GLB's vertex colours are {accessor['type']} of {accessor['componentType']}; expected "
            "3 or 4 floats, or whole numbers of 8 or 16 bits"
        )
