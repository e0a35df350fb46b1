"""Parts that are painted in different ways become one mesh that looks as they do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from torch import Tensor
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from distill3d.camera import Cameras
from distill3d.errors import Lost, UserError
from distill3d.formats import _atlas
from distill3d.formats import mesh as mesh_format
from distill3d.representations.mesh import Mesh

UV = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)


def quad(place: float) -> trimesh.Trimesh:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    vertices[:, 0] += place
    return trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3]], process=False)


def textured(place: float, *, seed: int = 0, times: float = 1, shift: float = 0) -> trimesh.Trimesh:
    part = quad(place)
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)
    image = Image.fromarray(coarse.repeat(8, 0).repeat(8, 1))
    part.visual = TextureVisuals(uv=times * UV + shift, material=PBRMaterial(baseColorTexture=image))
    return part


def coloured(place: float, *, seed: int = 0) -> trimesh.Trimesh:
    part = quad(place)
    colours = np.random.default_rng(seed).integers(60, 190, (4, 4), np.uint8)
    part.visual = trimesh.visual.ColorVisuals(part, vertex_colors=colours)
    return part


def bare(place: float) -> trimesh.Trimesh:
    return quad(place)


def seen(mesh: trimesh.Trimesh) -> Tensor:
    """The mesh from above, 120 pixels for each unit: so near that texels are larger than pixels."""
    pose = torch.tensor([[1.0, 0, 0, 0], [0, -1, 0, 0.5], [0, 0, -1, 10], [0, 0, 0, 1]])
    cameras = Cameras(pose[None], torch.tensor([[1200.0, 1200, 4, 64]]), 680, 128)
    return Mesh.from_trimesh(mesh).render(cameras).rgb[0].detach()


PARTS: dict[str, list[Callable[[], trimesh.Trimesh]]] = {
    "textures": [lambda: textured(0), lambda: textured(2, seed=1)],
    "a texture and colours": [lambda: textured(0), lambda: coloured(2)],
    "a texture and nothing": [lambda: bare(0), lambda: textured(2)],
    "repeated": [lambda: textured(0, times=3), lambda: coloured(2)],
    "repeated from elsewhere": [lambda: textured(0, times=2, shift=-7.5), lambda: textured(2, seed=1)],
    "the same twice": [
        lambda: textured(0, times=2),
        lambda: textured(2, times=3),
        lambda: textured(4, seed=1),
    ],
    "all": [lambda: textured(0), lambda: coloured(1.5), lambda: bare(3), lambda: textured(4.5, seed=1)],
}


@pytest.mark.parametrize("name", PARTS)
def test_together_parts_look_as_each_alone(name: str) -> None:
    parts = [make() for make in PARTS[name]]
    together = seen(_atlas.joined(parts))
    alone = torch.stack([seen(part) for part in parts]).sum(0)
    assert alone.std() > 0.1
    inside = torch.nn.functional.max_pool2d(-(alone.sum(-1) > 0).float()[None], 3, 1, 1)[0] < 0
    difference = (together - alone).abs()[inside]
    assert difference.max() < 0.02


def test_parts_of_one_texture_keep_it_to_the_last_texel() -> None:
    whole = _atlas.joined([textured(0, times=4), textured(2, times=2)])
    (width, height) = whole.visual.material.baseColorTexture.size
    assert (width, height) == (32, 32) and whole.visual.uv.max() == 4


def test_parts_with_colours_alone_stay_so() -> None:
    assert _atlas.joined([coloured(0), coloured(2)]).visual.kind == "vertex"


def test_a_file_of_a_texture_and_a_plain_material_shows_both() -> None:
    plain = quad(2)
    plain.visual = TextureVisuals(material=PBRMaterial(baseColorFactor=[255, 0, 0, 255]))
    scene = trimesh.Scene()
    for i, part in enumerate([textured(0), plain]):
        scene.add_geometry(part, node_name=f"node {i}", geom_name=f"part {i}")
    found = mesh_format.read(scene.export(file_type="glb"), "glb")
    assert isinstance(found, trimesh.Trimesh) and found.visual.kind == "texture"
    found.apply_transform(mesh_format.Y_UP)
    picture = seen(found)
    assert (picture[60, 260:340] - torch.tensor([1.0, 0, 0])).abs().max() < 0.01
    assert (picture - seen(textured(0)))[20:110, 10:110].abs().max() < 0.02


def test_too_large_textures_become_smaller_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_atlas, "MAX_PIXELS", 1 << 11)
    with pytest.warns(Lost, match="kept 0.[0-9]+ times as large"):
        whole = _atlas.joined([textured(0, times=2), coloured(2)])
    assert whole.visual.material.baseColorTexture.width < 80
    with pytest.raises(UserError, match="repeats its textures too often"):
        _atlas.joined([textured(0, times=1e4), coloured(2)])
