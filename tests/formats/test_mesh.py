"""Meshes in files: shape, colours and which way is up."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh

from distill3d.errors import UserError
from distill3d.formats import mesh as mesh_format


@pytest.fixture
def cone() -> trimesh.Trimesh:
    """Pointing up along z, red at the tip and blue at the base."""
    shape = trimesh.creation.cone(radius=0.3, height=1.0)
    height = shape.vertices[:, 2] / 1.0
    colours = np.stack([255 * height, 0 * height, 255 * (1 - height), 255 + 0 * height], 1).astype(np.uint8)
    shape.visual = trimesh.visual.ColorVisuals(shape, vertex_colors=colours)
    return shape


def _read(data: bytes, kind: str) -> trimesh.Trimesh:
    return trimesh.load(io.BytesIO(data), file_type=kind, force="mesh", process=False)


@pytest.mark.parametrize(("kind", "up"), [("glb", 1), ("obj", 1), ("ply", 2)])
def test_a_mesh_comes_back_with_its_shape_and_colours_and_its_tip_up(
    cone: trimesh.Trimesh, kind: str, up: int
) -> None:
    (data,) = mesh_format.write(cone, kind).values()
    back = _read(data, kind)
    assert len(back.faces) == len(cone.faces)
    assert back.volume == pytest.approx(cone.volume, rel=1e-4), "not mirrored: the volume keeps its sign"
    tip = np.argmax(back.vertices[:, up])
    assert back.vertices[tip, up] == pytest.approx(1.0, abs=1e-5)
    assert np.allclose(np.delete(back.vertices[tip], up), 0, atol=1e-5)
    assert back.visual.vertex_colors[tip, :3].tolist() == [255, 0, 0]


def test_writing_leaves_the_mesh_alone(cone: trimesh.Trimesh) -> None:
    before = cone.vertices.copy()
    mesh_format.write(cone, "glb")
    assert np.array_equal(cone.vertices, before)


def test_the_turn_is_a_rotation_and_mirrors_nothing() -> None:
    assert np.linalg.det(np.array(mesh_format.Y_UP)[:3, :3]) == pytest.approx(1)


def test_other_suffixes_are_refused(cone: trimesh.Trimesh) -> None:
    with pytest.raises(UserError, match=r"cannot be written as \.fbx"):
        mesh_format.write(cone, "fbx")


def test_what_faces_x_in_the_world_faces_z_in_gltf():
    front, up = np.array([1, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert (np.array(mesh_format.Y_UP) @ front)[:3].tolist() == [0, 0, 1]
    assert (np.array(mesh_format.Y_UP) @ up)[:3].tolist() == [0, 1, 0]
