"""Triangle meshes from and to GLB, OBJ, PLY, STL and OFF, with textures or vertex colours, through trimesh.

The world is +z up and faces +x. glTF and OBJ are +y up and face +z (glTF 2.0 specification, section 3.4); the
others say nothing, and stay as they are.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import trimesh
from PIL import Image
from trimesh import PointCloud, Trimesh
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from distill3d.errors import UserError
from distill3d.formats import _atlas, glb
from distill3d.formats._light import to_display, to_light
from distill3d.formats.beside import Beside

Y_UP = [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
"""(x, y, z) to (y, z, x): what pointed up along z then does along y, and what faced +x faces +z."""
TURNED = ("glb", "obj")
FARTHEST_UV = 1e6
"""Times that a texture may be repeated."""
SUFFIXES = ("glb", "obj", "ply", "stl", "off")


def read(data: bytes, kind: str, beside: Beside | None = None) -> Trimesh | PointCloud:
    """The mesh of a file of `kind`, of `SUFFIXES` or gltf, in our world; the points where it has no faces.

    All its parts are one mesh, with one texture or with vertex colours in display values. Vertex colours
    beside a texture are left out. Pictures and materials that are files of their own come from `beside`.
    """
    beside = beside or Nothing()
    if kind in ("glb", "gltf"):
        data, kind = glb.opened(data, beside), "glb"
    try:
        with warnings.catch_warnings(action="ignore"):
            scene = trimesh.load_scene(io.BytesIO(data), file_type=kind, resolver=beside, process=False)
            beside.complain()
            parts = [_placed(scene, node, kind) for node in scene.graph.nodes_geometry]
            shape = _one([part for part in parts if part is not None], kind)
            if kind in TURNED:
                shape.apply_transform(np.linalg.inv(Y_UP))
    except UserError:
        raise
    except Exception as error:  # trimesh lets through whatever damaged numbers lead to
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"no {kind.upper()} that can be read ({reason}); export it again") from error
    return shape


def write(mesh: Trimesh, kind: str, name: str = "mesh") -> dict[str, bytes]:
    """The files of a mesh of `kind`, one of `SUFFIXES`, by their names; the last is the mesh itself.

    GLB and OBJ are turned to +y up and keep a texture, OBJ in files of its own; PLY has vertex colours; STL
    and OFF have none.
    """
    if kind not in SUFFIXES:
        raise UserError(f"a mesh cannot be written as .{kind}; expected one of {', '.join(SUFFIXES)}")
    turned = mesh.copy()
    if kind in TURNED:
        turned.apply_transform(Y_UP)
    if kind == "obj":
        return _obj(turned, name)
    visual: Any = turned.visual
    if kind == "glb" and visual.kind == "vertex":
        turned.visual = ColorVisuals(turned)
        data = glb.with_colours(_bytes(turned.export(file_type=kind)), visual.vertex_colors[:, :3] / 255)
    else:
        if kind == "ply" and visual.kind == "texture":
            turned.visual = visual.to_color()
        data = _bytes(turned.export(file_type=kind))
    return {f"{name}.{kind}": data}


class Nothing(Beside):
    """No files at all."""

    def __init__(self) -> None:
        self.refused = []

    def get(self, name: str) -> bytes:
        self.refused.append(f"names {name[:80]}, and stands alone here; open it in its folder")
        raise FileNotFoundError(name)


def _obj(mesh: Trimesh, name: str) -> dict[str, bytes]:
    visual: Any = mesh.visual
    if visual.kind != "texture":
        return {f"{name}.obj": _bytes(mesh.export(file_type="obj"))}
    picture = io.BytesIO()
    visual.material.baseColorTexture.save(picture, "png")
    mesh.visual = TextureVisuals(uv=visual.uv, material=SimpleMaterial(name=name))
    text = _bytes(mesh.export(file_type="obj", include_color=False, include_texture=True, header=None))
    lines = [line for line in text.splitlines() if not line.startswith((b"mtllib", b"usemtl"))]
    head = [f"mtllib {name}.mtl".encode(), f"usemtl {name}".encode()]
    material = f"newmtl {name}\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nmap_Kd {name}.png\n"
    return {
        f"{name}.png": picture.getvalue(),
        f"{name}.mtl": material.encode(),
        f"{name}.obj": b"\n".join([*head, *lines, b""]),
    }


def _bytes(exported: Any) -> bytes:
    return exported.encode() if isinstance(exported, str) else bytes(exported)


def _placed(scene: trimesh.Scene, node: str, kind: str) -> Any:
    """A part of the scene where it stands, its colours in display values; None if it has no surface."""
    place, name = scene.graph[node]
    part = scene.geometry[name]
    if not isinstance(part, Trimesh | PointCloud) or not len(part.vertices):
        return None
    _check(part)
    part = part.copy()
    if isinstance(part, Trimesh):
        _paint(part, light=kind == "glb")
    if not np.array_equal(place, np.eye(4)):
        part.apply_transform(place)
    return part


def _check(part: Any) -> None:
    if part.vertices.shape[1:] != (3,) or not np.isfinite(part.vertices).all():
        raise UserError("the mesh has vertices that are not three finite numbers; export it again")
    uv = getattr(part.visual, "uv", None)
    if uv is not None and not (np.abs(uv) < FARTHEST_UV).all():
        raise UserError(
            f"the mesh has texture coordinates of {FARTHEST_UV:g} or more, or that are no numbers; "
            "export it again"
        )
    faces = getattr(part, "faces", None)
    if faces is not None and len(faces) and (np.min(faces) < 0 or np.max(faces) >= len(part.vertices)):
        raise UserError(
            f"the mesh has {len(part.vertices)} vertices and a face with corners {np.min(faces)} to "
            f"{np.max(faces)}; export it again"
        )


def _paint(part: Trimesh, *, light: bool) -> None:
    """Give a part a texture with nothing to be multiplied by, or colours at its vertices."""
    visual: Any = part.visual
    uv, material = getattr(visual, "uv", None), getattr(visual, "material", None)
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    stored = part.vertex_attributes.pop(glb.COLOURS, None)
    if picture is not None and uv is not None and len(uv) == len(part.vertices):
        image = _tinted(picture.convert("RGB"), _factor(material), light)
        part.visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=image))
    elif stored is not None:
        scale = 1 if stored.dtype.kind == "f" else np.iinfo(stored.dtype).max
        amounts = stored[:, :3] / scale * _factor(material)
        part.visual = ColorVisuals(part, vertex_colors=_coloured(to_display(amounts)))
    elif material is not None:
        factor = _factor(material)
        colour = to_display(factor) if light else factor
        part.visual = ColorVisuals(part, vertex_colors=_coloured(np.tile(colour, (len(part.vertices), 1))))


def _factor(material: Any) -> np.ndarray:
    """What a material multiplies its colours by, in 0 to 1; white where it has nothing to say."""
    colour = getattr(material, "baseColorFactor", None)
    if isinstance(material, SimpleMaterial) and material.image is None:
        colour = material.diffuse
    return np.ones(3) if colour is None else np.asarray(colour)[:3] / 255


def _tinted(image: Image.Image, factor: np.ndarray, light: bool) -> Image.Image:
    if (factor == 1).all():
        return image
    levels = np.arange(256)[None] / 255
    tinted = to_display(to_light(levels) * factor[:, None]) if light else levels * factor[:, None]
    return image.point(np.round(255 * tinted).astype(int).ravel().tolist())


def _coloured(rgb: np.ndarray) -> np.ndarray:
    return np.round(255 * np.column_stack([rgb, np.ones(len(rgb))])).astype(np.uint8)


def _one(parts: list[Any], kind: str) -> Any:
    """All parts that are meshes as one; or the points, where no part has a face."""
    meshes = [part for part in parts if isinstance(part, Trimesh) and len(part.faces)]
    if meshes:
        return _atlas.joined(meshes)
    points = [part for part in parts if isinstance(part, PointCloud)]
    if points and kind != "glb":
        return points[0]
    raise UserError(f"the {kind.upper()} has no faces and no points; expected a mesh or a point cloud")
