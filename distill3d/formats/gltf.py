"""glTF of any make as plain glTF: all bytes in one buffer, and numbers as they are meant.

Buffers and pictures may be other files, or text; positions and texture coordinates may be whole numbers that
nodes and KHR_texture_transform bring to their places; a picture may stand where only EXT_texture_webp looks.

Sources: glTF 2.0 specification, sections 3.6.1 and 3.8; KHR_mesh_quantization; KHR_texture_transform.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any
from urllib.parse import unquote

import numpy as np

from distill3d.errors import UserError
from distill3d.formats.beside import Beside
from distill3d.formats.glb_accessors import FLOAT, add, column, whole

GROWN, FREELY = 16, 1 << 24
"""Times that numbers as floats may need more bytes than the file has, and how many more they always may."""
TRANSFORM, WEBP = "KHR_texture_transform", "EXT_texture_webp"


def parsed(data: bytes) -> dict[str, Any]:
    """The JSON of a .gltf."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the glTF's JSON cannot be read ({str(error)[:80]}); fetch it again") from error
    if not isinstance(content, dict):
        raise UserError("the glTF's JSON is no object; expected glTF 2.0")
    return content


def together(content: dict[str, Any], binary: bytes, beside: Beside) -> bytes:
    """The bytes of all buffers and pictures, to which the views then refer as to one buffer."""
    buffers, images = content.get("buffers", []), content.get("images", [])
    if not any("uri" in thing for thing in [*buffers, *images]):
        return binary
    pieces, places = bytearray(), dict[str, tuple[int, int]]()

    def place(uri: str) -> tuple[int, int]:
        """Where the bytes of an address begin, and how many they are; each is fetched once."""
        if uri not in places:
            piece = _fetched(uri, beside) if uri else binary
            places[uri] = len(pieces), len(piece)
            pieces.extend(piece + bytes(-len(piece) % 4))
        return places[uri]

    begins = [place(buffer.get("uri", ""))[0] for buffer in buffers]
    views = content.setdefault("bufferViews", [])
    for view in views:
        begin = begins[whole(view.get("buffer", 0))]
        view |= {"buffer": 0, "byteOffset": begin + whole(view.get("byteOffset", 0))}
    for image in (image for image in images if "uri" in image):
        begin, length = place(image.pop("uri"))
        views.append({"buffer": 0, "byteOffset": begin, "byteLength": length})
        image["bufferView"] = len(views) - 1
    content["buffers"] = [{"byteLength": len(pieces)}]
    return bytes(pieces)


def _fetched(uri: str, beside: Beside) -> bytes:
    """The bytes of an address: text in itself, or the name of a file."""
    if uri.startswith("data:"):
        begin = uri.find(";base64,")
        if begin < 0:
            raise UserError(
                f"the glTF has bytes as text of another kind than base64 ({uri[:40]}); export it again"
            )
        try:
            return base64.b64decode(uri[begin + len(";base64,") :], validate=True)
        except binascii.Error as error:
            raise UserError(f"the glTF has bytes as text that are none ({error}); fetch it again") from error
    try:
        return beside.get(unquote(uri))
    except FileNotFoundError:
        beside.complain()
        raise


def plain(content: dict[str, Any], binary: bytes) -> bytes:
    """The bytes with positions, normals and texture coordinates as floats behind them where they are not.

    Coordinates are those that the material's picture is laid on by.
    """
    for texture in content.get("textures", []):
        texture["source"] = texture.get("extensions", {}).get(WEBP, {}).get("source", texture.get("source"))
    longer = bytearray(binary)
    for primitive in (primitive for mesh in content.get("meshes", []) for primitive in mesh["primitives"]):
        attributes = primitive["attributes"]
        for name in ("POSITION", "NORMAL"):
            if name in attributes and not _is_float(content, attributes[name]):
                attributes[name] = add(content, longer, column(content, longer, attributes[name]))
        _lay_on(content, longer, primitive)
        if len(longer) > FREELY + GROWN * len(binary):
            raise UserError("the GLB uses its whole numbers again and again; export it with floats")
    for texture in map(_picture, content.get("materials", [])):
        texture.pop("extensions", None)
        texture.pop("texCoord", None)
    return bytes(longer)


def _is_float(content: dict[str, Any], index: Any) -> bool:
    return content["accessors"][whole(index)]["componentType"] == FLOAT


def _picture(material: dict[str, Any]) -> dict[str, Any]:
    """What a material says of the picture of its colours."""
    return material.get("pbrMetallicRoughness", {}).get("baseColorTexture", {})


def _lay_on(content: dict[str, Any], longer: bytearray, primitive: dict[str, Any]) -> None:
    """Give a primitive the texture coordinates at which its material's picture is looked up."""
    materials, attributes = content.get("materials", []), primitive["attributes"]
    texture = _picture(materials[whole(primitive["material"])]) if "material" in primitive else {}
    transform = texture.get("extensions", {}).get(TRANSFORM, {})
    chosen = whole(transform.get("texCoord", texture.get("texCoord", 0)))
    name = f"TEXCOORD_{chosen}"
    if name not in attributes and chosen:
        raise UserError(f"the GLB lays its texture on by a {name} that it has not; export it again")
    if name not in attributes or (not transform and chosen == 0 and _is_float(content, attributes[name])):
        return
    uv = column(content, longer, attributes[name])
    attributes["TEXCOORD_0"] = add(content, longer, uv @ _linear(transform).T + _offset(transform))


def _linear(transform: dict[str, Any]) -> np.ndarray:
    """R S: scales, and then a turn that is counter-clockwise where v runs down."""
    c, s = (f(float(transform.get("rotation", 0))) for f in (math.cos, math.sin))
    return np.array([[c, s], [-s, c]]) * np.array(transform.get("scale", [1, 1]), np.float64).reshape(2)


def _offset(transform: dict[str, Any]) -> np.ndarray:
    return np.array(transform.get("offset", [0, 0]), np.float64).reshape(2)
