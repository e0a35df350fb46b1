"""Meshes from files: what comes back, in which place and in which colours, and what damaged files do."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given
from PIL import Image
from torch.testing import assert_close
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from distill3d import files
from distill3d.camera import orbit
from distill3d.errors import UserError
from distill3d.formats import glb as glb_format
from distill3d.formats import mesh as mesh_format
from distill3d.formats._light import to_display, to_light
from distill3d.representations.mesh import Mesh
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives
from tests.formats.test_gltf import moved_text

QUAD = np.array([[0, -0.5, -0.5], [0, 0.5, -0.5], [0, 0.5, 0.5], [0, -0.5, 0.5]])
"""It faces +x, as an object's front does."""
QUAD_UV = np.array([[0.0, 0.0], [1, 0], [1, 1], [0, 1]])
QUAD_FACES = [[0, 1, 2], [0, 2, 3]]


def picture(seed: int = 0, side: int = 8) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def textured(image: Image.Image) -> trimesh.Trimesh:
    visual = TextureVisuals(uv=QUAD_UV, material=PBRMaterial(baseColorTexture=image))
    return trimesh.Trimesh(QUAD, QUAD_FACES, visual=visual, process=False)


def torn() -> Mesh:
    """A ball whose texture has a seam: the corners of each face have uv of their own."""
    ball = trimesh.creation.icosphere(2, 0.5)
    uv = np.random.default_rng(1).random((3 * len(ball.faces), 2))
    visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=picture(side=16)))
    corners = ball.vertices[ball.faces].reshape(-1, 3).astype(np.float32)
    rows = np.arange(len(corners)).reshape(-1, 3)
    return Mesh.from_trimesh(trimesh.Trimesh(corners, rows, visual=visual, process=False))


def coloured() -> Mesh:
    ball = trimesh.creation.icosphere(1, 0.5)
    colours = np.random.default_rng(2).integers(0, 256, (len(ball.vertices), 4), dtype=np.uint8)
    ball.visual = ColorVisuals(ball, vertex_colors=colours)
    return Mesh.from_trimesh(ball)


def corners(scene: Mesh) -> torch.Tensor:
    return scene.vertices().detach()[scene.faces.long()]


def levels(scene: Mesh) -> torch.Tensor:
    return (255 * scene.colour_logits.detach().sigmoid()).round()


def front(scene: Mesh, side: int = 8) -> torch.Tensor:
    """Seen from the front so far away that the quad's texels are the picture's pixels."""
    cameras = orbit(torch.zeros(1), 0.0, radius=100.0, fov_y_rad=0.01, width=side, height=side)
    return scene.render(cameras).rgb[0].detach()


# What comes back


@pytest.mark.parametrize("kind", ["glb", "obj"])
def test_a_texture_comes_back_with_every_pixel_and_the_surface_with_every_bit(tmp_path: Path, kind: str):
    scene = torn()
    files.save(scene, tmp_path / f"a.{kind}")
    back = files.load(tmp_path / f"a.{kind}")
    assert isinstance(back, Mesh) and hasattr(back, "uv")
    assert torch.equal(levels(back), levels(scene))
    assert torch.equal(corners(back), corners(scene)) if kind == "glb" else True
    assert_close(corners(back), corners(scene), rtol=0, atol=1e-7)
    assert_close(back.uv[back.uv_indices.long()], scene.uv[scene.uv_indices.long()], rtol=0, atol=1e-6)
    assert len(back.unsmoothed) == len(scene.unsmoothed) == 162, "the seams are not torn"


@pytest.mark.parametrize("kind", ["glb", "obj", "ply"])
def test_vertex_colours_come_back_and_dark_ones_too(tmp_path: Path, kind: str):
    scene = coloured()
    with torch.no_grad():
        scene.colour_logits[:20] = torch.logit(torch.arange(1, 21)[:, None] / 255).expand(20, 3)
    files.save(scene, tmp_path / f"a.{kind}")
    back = files.load(tmp_path / f"a.{kind}")
    order = torch.cdist(scene.vertices(), back.vertices()).argmin(1)
    assert torch.equal(levels(back)[order], levels(scene))


@pytest.mark.filterwarnings("ignore::distill3d.errors.Lost")
@pytest.mark.parametrize("kind", ["stl", "off"])
def test_a_shape_alone_comes_back_where_it_was(tmp_path: Path, kind: str):
    scene = torn()
    files.save(scene, tmp_path / f"a.{kind}")
    back = files.load(tmp_path / f"a.{kind}")
    assert isinstance(back, Mesh) and len(back.unsmoothed) == len(scene.unsmoothed)
    assert_close(corners(back), corners(scene), rtol=0, atol=1e-7)


# Right place, right colours


def test_a_textured_quad_shows_the_pixels_of_its_texture(tmp_path: Path):
    image = picture()
    files.save_mesh(textured(image), tmp_path / "a.glb")
    shown = front(files.load(tmp_path / "a.glb"))
    assert_close(shown, torch.tensor(np.asarray(image) / 255).float(), rtol=0, atol=0.01)


@pytest.mark.parametrize("kind", ["glb", "obj"])
def test_files_are_y_up_and_face_z_and_open_z_up_facing_x(tmp_path: Path, kind: str):
    files.save_mesh(textured(picture()), tmp_path / f"a.{kind}")
    stored = trimesh.load_scene(tmp_path / f"a.{kind}").to_mesh()
    assert np.ptp(stored.vertices, axis=0) == pytest.approx([1, 1, 0])
    assert stored.face_normals[0] == pytest.approx([0, 0, 1])
    assert_close(corners(files.load(tmp_path / f"a.{kind}")), torch.tensor(QUAD[QUAD_FACES]).float())


def test_vertex_colours_of_glb_are_light():
    scene = coloured()
    (data,) = mesh_format.write(scene.as_trimesh(), "glb").values()
    (length,) = struct.unpack_from("<I", data, 12)
    content, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    accessor = content["accessors"][content["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    view = content["bufferViews"][accessor["bufferView"]]
    stored = np.frombuffer(binary, "<u2", view["byteLength"] // 2, view["byteOffset"]).reshape(-1, 4)
    light = ((levels(scene).numpy() / 255 + 0.055) / 1.055) ** 2.4  # true from 0.04 upwards
    bright = levels(scene).numpy() > 11
    assert np.abs(stored[:, :3] / 65535 - light)[bright].max() < 1e-4 and (stored[:, 3] == 65535).all()


def test_light_and_display_are_each_others_inverse():
    values = np.linspace(0, 1, 1001)
    assert np.allclose(to_display(to_light(values)), values, atol=1e-6)
    assert to_display(np.array([0.2140])) == pytest.approx(0.5, abs=1e-3)


def test_a_materials_colour_multiplies_its_texture_as_light():
    mesh = textured(Image.new("RGB", (4, 4), (200, 200, 200)))
    mesh.visual.material.baseColorFactor = np.array([128, 255, 0, 255], np.uint8)
    mesh.apply_transform(mesh_format.Y_UP)
    found = levels(Mesh.from_trimesh(mesh_format.read(mesh.export(file_type="glb"), "glb")))
    half = 255 * to_display(to_light(np.array([200 / 255])) * 128 / 255)
    assert found[0, 0].tolist() == pytest.approx([half[0], 200, 0], abs=0.51)


def test_parts_with_textures_of_their_own_stand_where_the_file_puts_them():
    scene = trimesh.Scene()
    for i, colour in enumerate([(255, 0, 0), (0, 0, 255)]):
        place = np.eye(4)
        place[:3, 3] = [2.0 * i, 0, 0]
        scene.add_geometry(textured(Image.new("RGB", (4, 4), colour)), transform=place)
    found = Mesh.from_trimesh(mesh_format.read(scene.export(file_type="glb"), "glb"))
    assert len(found.faces) == 4 and found.vertices().detach()[:, 1].max() == pytest.approx(2.0)
    shown = found.uv[found.uv_indices.long()].mean(1)
    size = torch.tensor([found.colour_logits.shape[1], found.colour_logits.shape[0]])
    column, row = (shown * size).long().unbind(1)
    side = corners(found)[:, :, 1].mean(1) > 1
    assert [levels(found)[r, c].tolist() for r, c in zip(row, column, strict=True)] == [
        [0, 0, 255] if s else [255, 0, 0] for s in side
    ]


# What is refused


def test_a_material_outside_the_folder_is_not_read(tmp_path: Path):
    inside = tmp_path / "inside"
    inside.mkdir()
    files.save(torn(), inside / "a.obj")
    (inside / "a.png").rename(tmp_path / "a.png")
    for name, reason in (("../a.png", "outside its own folder"), ("a.png", "not beside it")):
        (inside / "a.mtl").write_text(f"newmtl a\nmap_Kd {name}\n")
        with pytest.raises(UserError, match=rf"a\.obj: the mesh names {name}.*{reason}"):
            files.load(inside / "a.obj")
    (inside / "a.mtl").unlink()
    (inside / "a.mtl").symlink_to(tmp_path / "a.png")
    with pytest.raises(UserError, match="outside its own folder"):
        files.load(inside / "a.obj")


def glb(content: dict, binary: bytes = b"") -> bytes:
    text = json.dumps(content).encode()
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    if binary:
        chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def triangle(**changes: object) -> bytes:
    """A GLB of one triangle, with other numbers in its accessor."""
    accessor = {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", **changes}
    content = {
        "buffers": [{"byteLength": 36}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [{k: v for k, v in accessor.items() if v is not None}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
    }
    return glb(content, np.eye(3, dtype="<f4").tobytes())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"count": 10**9}, "need 12000000000 bytes"),
        ({"count": -1}, "makes no sense"),
        ({"bufferView": None}, "without bytes"),
        ({"bufferView": 7}, "makes no sense"),
        ({"type": "VEC9"}, "makes no sense"),
        ({"byteOffset": 30}, "need 66 bytes"),
    ],
)
def test_a_glb_that_asks_for_more_than_it_has_is_refused(changes: dict[str, object], reason: str):
    assert len(mesh_format.read(triangle(), "glb").faces) == 1
    with pytest.raises(UserError, match=reason):
        mesh_format.read(triangle(**changes), "glb")


def test_a_glb_that_draws_its_mesh_again_and_again_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(glb_format, "FREELY", 1000)
    data = triangle()
    (length,) = struct.unpack_from("<I", data, 12)
    content = json.loads(data[20 : 20 + length])
    content["nodes"] = [{"mesh": 0}] * 400
    with pytest.raises(UserError, match="1200 corners"):
        mesh_format.read(glb(content, data[28 + length :]), "glb")


def test_other_files_are_not_fetched_and_compression_is_named():
    with pytest.raises(UserError, match=r"names \.\./\.\./secret, and stands alone here"):
        mesh_format.read(glb({"buffers": [{"uri": "../../secret", "byteLength": 3}]}), "glb")
    with pytest.raises(UserError, match="needs KHR_draco_mesh_compression; export it without"):
        mesh_format.read(glb({"extensionsRequired": ["KHR_draco_mesh_compression"]}), "glb")


def test_a_texture_larger_than_any_screen_is_refused_before_it_is_unpacked():
    data = io.BytesIO()
    Image.new("1", (8192, 8193)).save(data, "png")
    mesh = textured(Image.open(data))
    with pytest.raises(UserError, match="8192 x 8193"):
        mesh_format.read(mesh.export(file_type="glb"), "glb")


def test_a_texture_that_would_be_lost_or_laid_on_otherwise_is_refused(tmp_path: Path):
    (whole,) = mesh_format.write(textured(picture()), "glb").values()
    begin = whole.index(b"PNG")
    with pytest.raises(UserError, match="picture 0 of the GLB cannot be read"):
        mesh_format.read(whole[:begin] + b"JNG" + whole[begin + 3 :], "glb")
    (length,) = struct.unpack_from("<I", whole, 12)
    content = json.loads(whole[20 : 20 + length])
    content["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]["texCoord"] = 1
    with pytest.raises(UserError, match="by a TEXCOORD_1 that it has not"):
        mesh_format.read(glb(content, whole[28 + length :]), "glb")
    files.save(torn(), tmp_path / "a.obj")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"names a\.png, which cannot be read"):
        files.load(tmp_path / "a.obj")


PLY = "ply\nformat binary_little_endian 1.0\nelement vertex {}\n" + "".join(
    f"property float {c}\n" for c in "xyz"
)
PLY_FACES = "element face {}\nproperty list {} int vertex_indices\nend_header\n"
HUGE = {
    "stl": [bytes(80) + struct.pack("<I", 2**32 - 1) + bytes(50)],
    "off": [
        b"OFF\n1000000000000 1 0\n0 0 0\n",
        b"OFF\n-1 -1 0\n0 0 0\n",
    ],
    "obj": [b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 99999999999\n", b"f -9 -8 -7\n" + b"v 1 1 1\n" * 3],
    "ply": [
        (PLY + PLY_FACES).format(10**12, 1, "uchar").encode() + bytes(60),
        (PLY + PLY_FACES).format(3, 10**9, "uchar").encode() + bytes(36) + b"\3" + bytes(12),
        (PLY + PLY_FACES).format(3, 1, "uint").encode() + bytes(36) + b"\xff\xff\xff\x7f" + bytes(12),
        (PLY + PLY_FACES).format(3, 1, "int").encode() + bytes(36) + b"\xff\xff\xff\xff" + bytes(12),
    ],
}


@pytest.mark.parametrize("kind", HUGE)
def test_counts_that_the_file_cannot_hold_are_refused(kind: str):
    for data in HUGE[kind]:
        survives(lambda data: read_and_open(kind, data), data)
        with pytest.raises(UserError):
            read_and_open(kind, data)


@pytest.mark.parametrize("kind", mesh_format.SUFFIXES)
def test_corners_that_are_not_there_and_no_numbers_are_refused(kind: str):
    texts = {
        "obj": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", b"v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n"),
        "off": (
            b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n",
            b"OFF\n3 1 0\n0 0 0\nnan 0 0\n0 1 0\n3 0 1 2\n",
        ),
    }
    for text in texts.get(kind, (b"", b"words")):
        with pytest.raises(UserError):
            mesh_format.read(text, kind)


# Damage


def whole(kind: str) -> bytes:
    scene = torn() if kind == "glb" else coloured()
    return list(mesh_format.write(scene.as_trimesh(), kind).values())[-1]


FILES = {kind: whole(kind) for kind in mesh_format.SUFFIXES}
FILES["moved.gltf"] = moved_text()
FILES["ascii.ply"] = trimesh.creation.icosphere(1).export(file_type="ply", encoding="ascii")


def read_and_open(kind: str, data: bytes) -> None:
    shape = mesh_format.read(data, kind.rsplit(".")[-1])
    if isinstance(shape, trimesh.Trimesh):
        scene = Mesh.from_trimesh(shape)
        assert torch.isfinite(scene.vertices()).all()


@pytest.mark.parametrize("kind", FILES)
@QUICK
@given(*DAMAGE)
def test_a_damaged_mesh_is_a_sentence(kind, places, cut, swap):
    survives(lambda data: read_and_open(kind, data), damaged(FILES[kind], places, cut, swap), times=256)


def test_texture_coordinates_that_are_no_numbers_are_a_sentence():
    """The last byte of this file is the exponent of one."""
    with pytest.raises(UserError, match="texture coordinates of"):
        read_and_open("glb", damaged(FILES["glb"], [(1.0, 127)], 1.0, False))


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_meshes_are_sentences(kind, places, cut, swap):
    survives(lambda data: read_and_open(kind, data), damaged(FILES[kind], places, cut, swap), times=256)
