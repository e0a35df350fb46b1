from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh

from distill3d.camera import Cameras
from distill3d.conversions import scene_to_mesh as module
from distill3d.conversions.scene_to_mesh import renders_to_mesh, scene_to_mesh
from distill3d.rendering import Rendering
from distill3d.scene import Scene
from tests.traced import ball, blank, by_octant, cup, torus, traced


def extract(distance, **options) -> trimesh.Trimesh:
    return renders_to_mesh(traced(distance, by_octant), **{"resolution": 40, "views": 40, **options})


@pytest.fixture(scope="module")
def sphere() -> trimesh.Trimesh:
    return extract(ball(0.6))


def test_a_ball_keeps_its_measures(sphere):
    radii = np.linalg.norm(sphere.vertices, axis=1)
    assert radii.mean() == pytest.approx(0.6, rel=0.01)
    assert np.abs(radii - 0.6).max() < 2 / 40
    assert sphere.volume == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.03)
    assert sphere.area == pytest.approx(4 * math.pi * 0.6**2, rel=0.04)


def test_a_ball_is_one_closed_surface_that_faces_out(sphere):
    assert sphere.is_watertight
    assert sphere.is_winding_consistent
    assert sphere.euler_number == 2
    assert ((sphere.face_normals * sphere.triangles_center).sum(1) > 0).all()


def test_colours_are_on_their_own_side(sphere):
    colours = sphere.visual.vertex_colors
    inner = np.abs(sphere.vertices).min(1) > 0.06
    assert inner.sum() > 1000
    assert colours.dtype == np.uint8
    assert (colours[:, 3] == 255).all()
    assert np.abs(colours[inner, :3].astype(int) - 255 * (sphere.vertices[inner] > 0)).max() < 20


def test_a_torus_keeps_its_hole():
    mesh = extract(torus(0.55, 0.2))
    assert mesh.is_watertight
    assert mesh.euler_number == 0
    assert mesh.volume == pytest.approx(2 * math.pi**2 * 0.55 * 0.2**2, rel=0.06)


def test_a_cup_stays_open():
    """Solid volume of walls and floor, far less than that of the filled cylinder."""
    mesh = extract(cup(0.5, 0.5, 0.12))
    assert mesh.is_watertight
    assert mesh.euler_number == 2
    assert mesh.volume == pytest.approx(math.pi * (0.5**2 - 0.38**2 * 0.88), rel=0.06)


def test_two_bodies_both_stay_and_a_speck_goes(monkeypatch):
    first, second = ball(0.5, (0.4, 0, 0)), ball(0.3, (-0.6, 0, 0))
    speck = ball(0.048, (0.025, 0.025, 0.875))  # one voxel, its centre

    def distance(p: torch.Tensor) -> torch.Tensor:
        return torch.stack([first(p), second(p), speck(p)]).amin(0)

    mesh = extract(distance)
    assert mesh.body_count == 2
    assert mesh.vertices[:, 2].max() < 0.6
    monkeypatch.setattr(module, "FLOATER_AREA", 0.0)
    assert extract(distance).body_count == 3


def test_finer_is_closer(sphere):
    coarse = extract(ball(0.6), resolution=16)
    error = [abs(np.linalg.norm(m.vertices, axis=1).mean() - 0.6) for m in (coarse, sphere)]
    assert error[1] < error[0]


def test_an_empty_scene_is_a_sentence():
    with pytest.raises(ValueError, match=r"^the scene shows no surface .* render it first[^\n]*$"):
        renders_to_mesh(blank, resolution=16, views=8)


def test_a_scene_is_asked_for_depth_without_gradients():
    class Ball(Scene):
        def render(self, cameras: Cameras, *, want=("rgb", "alpha")) -> Rendering:
            assert "depth" in want
            assert not torch.is_grad_enabled()
            return traced(ball(0.5), by_octant)(cameras)

    assert scene_to_mesh(Ball(), resolution=16, views=24).euler_number == 2
