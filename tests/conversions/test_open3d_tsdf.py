"""Where open3d is installed, it finds the surface that the dense grid finds."""

from __future__ import annotations

import numpy as np
import pytest

from distill3d.conversions import open3d_tsdf
from distill3d.conversions.open3d_tsdf import renders_to_open_mesh
from tests.traced import ball, blank, by_octant, traced

DETAIL = {"resolution": 40, "views": 24}
needs_open3d = pytest.mark.skipif(not open3d_tsdf.installed(), reason="open3d is not installed")


@needs_open3d
def test_a_ball_keeps_its_radius_and_its_colours() -> None:
    mesh = renders_to_open_mesh(traced(ball(0.6), by_octant), **DETAIL)
    radii = np.linalg.norm(mesh.vertices, axis=1)
    assert abs(radii.mean() - 0.6) < 0.01
    assert (radii.max() - radii.min()) < 2 / 40
    assert ((mesh.face_normals * mesh.triangles_center).sum(1) > 0).mean() > 0.99
    inner = np.abs(mesh.vertices).min(1) > 0.08
    found = mesh.visual.vertex_colors[inner, :3] / 255
    assert np.abs(found - (mesh.vertices[inner] > 0)).mean() < 0.05


@needs_open3d
def test_an_empty_scene_is_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"shows no surface .* render it first[^\n]*$"):
        renders_to_open_mesh(blank, **DETAIL)


def test_where_it_is_missing_the_sentence_says_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open3d_tsdf, "installed", lambda: False)
    with pytest.raises(ValueError, match=r"pip install open3d, or use scene_to_mesh, which needs none$"):
        renders_to_open_mesh(blank, **DETAIL)
