"""glTF as other programs write it: in several files, with whole numbers, and with pictures that are moved."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from distill3d import files
from distill3d.errors import UserError
from distill3d.formats import glb, gltf
from distill3d.formats import mesh as mesh_format

PLACES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
UV = np.array([[0, 0], [1, 0], [1, 0.5], [0, 0.5]], np.float32)


def picture(kind: str = "png") -> bytes:
    levels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, kind, **({"lossless": True} if kind == "webp" else {}))
    return buffer.getvalue()


def quad(
    places: np.ndarray = PLACES, uv: np.ndarray = UV, *, image: bytes = b"", **changes: dict[str, Any]
) -> tuple[dict[str, Any], bytes]:
    """A textured square, with its numbers in the types of the arrays; `changes` are made at the top."""
    columns = [places, uv, np.array([0, 1, 2, 0, 2, 3], "<u2")]
    pieces = [np.ascontiguousarray(column).tobytes() for column in columns] + [image or picture()]
    begins = np.cumsum([0, *map(len, pieces)]).tolist()
    codes = {"<f4": 5126, "<u2": 5123, "<i2": 5122, "|u1": 5121, "|i1": 5120}
    types = ["VEC3", "VEC2", "SCALAR"]
    content = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": begins[-1]}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": begin, "byteLength": len(piece)}
            for begin, piece in zip(begins[:-1], pieces, strict=True)
        ],
        "accessors": [
            {
                "bufferView": i,
                "componentType": codes[column.dtype.str],
                "count": len(column),
                "type": types[i],
                "normalized": i < 2 and column.dtype.kind != "f",
            }
            for i, column in enumerate(columns)
        ],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "meshes": [
            {
                "primitives": [
                    {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0},
                ]
            }
        ],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
        **changes,
    }
    return content, b"".join(pieces)


def texture_of(content: dict[str, Any]) -> dict[str, Any]:
    return content["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]


def read(content: dict[str, Any], binary: bytes) -> trimesh.Trimesh:
    shape = mesh_format.read(glb.joined(content, binary), "glb")
    assert isinstance(shape, trimesh.Trimesh)
    return shape


def assert_same(one: trimesh.Trimesh, other: trimesh.Trimesh, within: float = 1e-6) -> None:
    assert np.abs(one.vertices - other.vertices).max() <= within
    assert np.abs(one.visual.uv - other.visual.uv).max() <= within
    assert np.array_equal(one.faces, other.faces)
    pictures = [np.asarray(mesh.visual.material.baseColorTexture) for mesh in (one, other)]
    assert np.array_equal(*pictures)


def in_files(content: dict[str, Any], binary: bytes, folder: Path) -> None:
    """Numbers in one file, the picture in another, both of names that addresses have to escape."""
    view = content["bufferViews"].pop()
    (folder / "my numbers.bin").write_bytes(binary[: view["byteOffset"]])
    (folder / "my picture.png").write_bytes(binary[view["byteOffset"] :])
    content["buffers"] = [{"byteLength": view["byteOffset"], "uri": "my%20numbers.bin"}]
    content["images"] = [{"uri": "my%20picture.png"}]


def as_text(content: dict[str, Any], binary: bytes, folder: Path) -> None:
    content["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{base64.b64encode(binary).decode()}"


def in_two_buffers(content: dict[str, Any], binary: bytes, folder: Path) -> None:
    begin = content["bufferViews"][1]["byteOffset"]
    for name, piece in (("a.bin", binary[:begin]), ("b.bin", binary[begin:])):
        (folder / name).write_bytes(piece)
    content["buffers"] = [{"byteLength": begin, "uri": "a.bin"}, {"byteLength": 1, "uri": "./b.bin"}]
    for view in content["bufferViews"][1:]:
        view |= {"buffer": 1, "byteOffset": view["byteOffset"] - begin}


def moved_text() -> bytes:
    """A .gltf of whole numbers as text, whose picture is moved."""
    content, binary = quad(np.round(PLACES * 127).astype("|i1"), np.round(UV * 127).astype("|i1"))
    texture_of(content)["extensions"] = {"KHR_texture_transform": {"offset": [0.25, -1], "scale": [2, 0.5]}}
    as_text(content, binary, Path())
    return json.dumps(content).encode()


@pytest.mark.parametrize("kept", [in_files, as_text, in_two_buffers])
def test_a_gltf_in_files_or_as_text_is_the_same_mesh(kept: Callable[..., None], tmp_path: Path) -> None:
    content, binary = quad()
    expected = read(*quad())
    kept(content, binary, tmp_path)
    (tmp_path / "a.GLTF").write_text(json.dumps(content))
    scene = files.load(tmp_path / "a.GLTF")
    assert_same(scene.as_trimesh(), expected, within=1e-6)  # pyright: ignore[reportCallIssue]


def test_a_gltf_without_its_files_names_them(tmp_path: Path) -> None:
    content, binary = quad()
    in_files(content, binary, tmp_path)
    (tmp_path / "a.gltf").write_text(json.dumps(content))
    (tmp_path / "my picture.png").unlink()
    with pytest.raises(UserError, match=r"a\.gltf: the mesh names my picture\.png, which is not beside it"):
        files.load(tmp_path / "a.gltf")
    content["buffers"][0]["uri"] = "../my%20numbers.bin"
    (tmp_path / "a.gltf").write_text(json.dumps(content))
    with pytest.raises(UserError, match="outside its own folder"):
        files.load(tmp_path / "a.gltf")


@pytest.mark.parametrize("text", ["data:;base64,$$$$", "data:text/plain,abc"])
def test_text_that_is_no_bytes_is_refused(text: str) -> None:
    content, binary = quad(buffers=[{"byteLength": 3, "uri": text}])
    with pytest.raises(UserError, match="bytes as text"):
        read(content, binary)


@pytest.mark.parametrize("kind", ["<i2", "<u2", "|i1", "|u1"])
def test_whole_numbers_are_the_shares_that_they_stand_for(kind: str) -> None:
    """Positions and coordinates of 8 and 16 bits, which a node brings back to their size."""
    most = np.iinfo(kind).max
    content, binary = quad(
        np.round(PLACES * most).astype(kind),
        np.round(UV * most).astype(kind),
        nodes=[{"mesh": 0, "scale": [2, 2, 2], "translation": [-1, 0, 3]}],
    )
    content["extensionsRequired"] = ["KHR_mesh_quantization"]
    expected = read(*quad(2 * PLACES + np.array([-1, 0, 3], np.float32)))
    assert_same(read(content, binary), expected, within=1.01 / most)


def test_whole_numbers_that_are_no_shares_stay_what_they_are() -> None:
    content, binary = quad(np.round(PLACES * 4).astype("<i2"), nodes=[{"mesh": 0, "scale": [0.25] * 3}])
    content["accessors"][0]["normalized"] = False
    assert_same(read(content, binary), read(*quad()))


@pytest.mark.parametrize("rotation", [0.0, math.pi / 2, 0.3])
def test_pictures_are_moved_turned_and_scaled_as_the_material_says(rotation: float) -> None:
    """First scaled, then turned against the clock as one sees the picture, whose v runs down, then moved."""
    c, s = math.cos(rotation), math.sin(rotation)
    moved = (UV * [2, 0.5]) @ np.array([[c, -s], [s, c]]) + [0.25, -1]
    content, binary = quad()
    how = {"offset": [0.25, -1], "rotation": rotation, "scale": [2, 0.5]}
    texture_of(content)["extensions"] = {"KHR_texture_transform": how}
    content["extensionsRequired"] = ["KHR_texture_transform"]
    assert_same(read(content, binary), read(*quad(uv=moved.astype(np.float32))))


def test_a_second_set_of_coordinates_is_the_one_that_a_material_chooses() -> None:
    content, binary = quad()
    content["meshes"][0]["primitives"][0]["attributes"] = {"POSITION": 0, "TEXCOORD_1": 1, "TEXCOORD_0": 0}
    texture_of(content)["texCoord"] = 1
    assert_same(read(content, binary), read(*quad()))


def test_pictures_may_be_webp() -> None:
    content, binary = quad(
        image=picture("webp"), textures=[{"extensions": {"EXT_texture_webp": {"source": 0}}}]
    )
    content["extensionsRequired"] = ["EXT_texture_webp"]
    assert_same(read(content, binary), read(*quad()))


@pytest.mark.parametrize(
    "name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"]
)
@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_compression_is_named(name: str, suffix: str, tmp_path: Path) -> None:
    content, binary = quad(extensionsRequired=[name], buffers=[{"byteLength": 3}, {"byteLength": 9}])
    data = glb.joined(content, binary) if suffix == "glb" else json.dumps(content).encode()
    (tmp_path / f"a.{suffix}").write_bytes(data)
    with pytest.raises(UserError, match=f"needs {name}; export it without, uncompressed"):
        files.load(tmp_path / f"a.{suffix}")


def test_whole_numbers_used_again_and_again_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gltf, "FREELY", 0)
    content, binary = quad(np.round(PLACES * 127).astype("|i1"))
    content["meshes"][0]["primitives"] *= 300
    with pytest.raises(UserError, match="again and again"):
        read(content, binary)
