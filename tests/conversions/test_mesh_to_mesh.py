"""Fewer triangles, one texture, and the same to look at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from distill3d.camera import turntable
from distill3d.conversions.mesh_to_mesh import mesh_to_mesh
from distill3d.representations.mesh import Mesh
from tests.traced import by_octant


def ball(subdivisions: int, radius: float = 0.6) -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions, radius)
    vertices = torch.tensor(shape.vertices, dtype=torch.float32)
    return Mesh(vertices, torch.tensor(shape.faces), by_octant(vertices))


def test_it_looks_as_before_with_a_tenth_of_the_triangles() -> None:
    mesh = ball(5)
    simple = mesh_to_mesh(mesh, triangles=2000, texture_px=192)
    assert len(simple.faces) == pytest.approx(2000, rel=0.01)
    cameras = turntable(3, width=96, height=96)
    with torch.no_grad():
        seen, truth = (m.render(cameras).over((1.0, 1.0, 1.0)) for m in (simple, mesh))
    assert -10 * (seen - truth).square().mean().log10() > 30
    again = mesh_to_mesh(simple, triangles=2000, texture_px=192)
    with torch.no_grad():
        twice = again.render(cameras).over((1.0, 1.0, 1.0))
    assert -10 * (twice - truth).square().mean().log10() > 27, "from a texture as from vertices"


def test_where_it_lies_and_in_which_unit_does_not_matter() -> None:
    mesh = ball(3)
    far = Mesh(40 * mesh.vertices().detach() + 300, mesh.faces, mesh.colour_logits.sigmoid())
    simple = mesh_to_mesh(far, triangles=400, texture_px=64)
    radii = ((simple.vertices().detach() - 300) / 40).norm(dim=-1)
    assert radii.min() > 0.55 and radii.max() < 0.65
    octants = simple.colour_logits.sigmoid().round().reshape(-1, 3).unique(dim=0)
    assert len(octants) == 8


def test_seams_and_colours_do_not_tear_the_surface() -> None:
    shape = trimesh.creation.box((1.0, 1.0, 1.0)).subdivide_to_size(0.1)
    apart = trimesh.Trimesh(
        shape.triangles.reshape(-1, 3), np.arange(3 * len(shape.faces)).reshape(-1, 3), process=False
    )
    vertices = torch.tensor(apart.vertices, dtype=torch.float32)
    torn = Mesh(vertices, torch.tensor(apart.faces), torch.rand(len(vertices), 3))
    simple = mesh_to_mesh(torn, triangles=200, texture_px=64)
    whole = trimesh.Trimesh(simple.vertices().detach().numpy(), simple.faces.numpy(), process=False)
    assert whole.is_watertight
    assert whole.volume == pytest.approx(1, abs=1e-3), "flat sides and sharp edges are kept"


@pytest.mark.parametrize(
    ("faces", "detail", "sentence"),
    [
        (np.zeros((0, 3), int), {}, r"no triangles, .* give one with faces$"),
        ([[0, 1, 2]], {"triangles": 2}, r"given 2 triangles .* expected 8 or more, and 32 or more$"),
        (
            [[0, 1, 2]],
            {"texture_px": 5},
            r"a texture of 5 pixels a side; expected 8 or more, and 32 or",
        ),
    ],
)
def test_what_cannot_be_is_a_sentence(faces, detail: dict[str, int], sentence: str) -> None:
    mesh = Mesh(torch.eye(3), torch.tensor(faces), torch.ones(3, 3))
    with pytest.raises(ValueError, match=sentence):
        mesh_to_mesh(mesh, **detail)
