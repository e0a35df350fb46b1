"""Mesh beyond what every kind of scene promises (see test_contract): shapes, textures, trimesh."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from torch.testing import assert_close

from distill3d.camera import orbit
from distill3d.distill import Loss, distill
from distill3d.representations.mesh import Mesh, Texture, vertex_normals
from tests.ops.scenes import views

ALL = ("rgb", "alpha", "depth", "normal")


def test_a_smoothed_mesh_starts_where_it_was_put():
    plain, smoothed = Mesh.start(subdivisions=2, smoothness=0.0), Mesh.start(subdivisions=2, smoothness=20.0)
    assert_close(smoothed.vertices(), plain.vertices(), rtol=0, atol=1e-5)


def test_smoothing_spreads_a_step_over_neighbours():
    scene = Mesh.start(subdivisions=2)
    before = scene.vertices().detach()
    with torch.no_grad():
        scene.unsmoothed[5, 2] += 1
    moved = (scene.vertices() - before).norm(dim=-1)
    assert moved.argmax() == 5
    assert moved[5] < 0.2
    assert moved.sum().item() == pytest.approx(1, rel=0.01)


def test_a_ball_shows_its_normals_and_depth():
    scene, cameras = Mesh.start(subdivisions=4, radius=0.8), views(2, width=48, height=48)
    picture = scene.render(cameras, want=ALL)
    inner = picture.alpha[..., 0] == 1
    origins, directions = cameras.rays()
    points = origins + directions * picture.depth
    assert_close(picture.normal[inner], points[inner] / 0.8, rtol=0, atol=0.05)
    assert_close(points[inner].norm(dim=-1), torch.full((int(inner.sum()),), 0.8), rtol=0, atol=0.02)


def test_normals_of_a_ball_point_outwards():
    scene = Mesh.start(subdivisions=2, radius=0.7)
    vertices = scene.vertices().detach()
    assert_close(vertex_normals(vertices, scene.faces), vertices / 0.7, rtol=0, atol=0.03)


def test_creases_are_least_for_the_round():
    scene = Mesh.start(subdivisions=2)
    crumpled = Mesh.start(subdivisions=2, smoothness=0.0)
    with torch.no_grad():
        crumpled.unsmoothed += 0.05 * torch.randn(162, 3, generator=torch.Generator().manual_seed(0))
    assert 0 < scene.creases() < 0.1 * crumpled.creases()


def test_a_ball_grows_and_is_painted_as_pictures_tell_it():
    target = Mesh.start(subdivisions=3, radius=0.8)
    with torch.no_grad():
        target.colour_logits[:] = torch.tensor([2.0, -2.0, 0.0])
    student = Mesh.start(subdivisions=3, radius=0.4)

    class Rig:
        def cameras(self, moment, *, views, width, height):
            azimuths = torch.rand(views, generator=moment.generator) * 6.28
            return orbit(azimuths, 0.3, width=width, height=height)

    class Pictures:
        def __call__(self, cameras, rendering, moment):
            with torch.no_grad():
                shown = target.render(cameras)
            return Loss(
                (rendering.rgb - shown.rgb).square().mean() + (rendering.alpha - shown.alpha).square().mean()
            )

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            pass

    losses = [step.loss for step in distill(student, Pictures(), steps=120, rig=Rig(), views=2, size=32)]
    assert losses[-1] < 0.1 * losses[0]
    assert student.vertices().norm(dim=-1).mean().item() == pytest.approx(0.8, abs=0.06)


# trimesh


def box_with_colours() -> trimesh.Trimesh:
    box = trimesh.creation.box(extents=(1.0, 0.8, 0.6))
    colours = np.random.default_rng(0).integers(0, 255, (len(box.vertices), 4), dtype=np.uint8)
    box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=colours)
    return box


def test_vertex_colours_come_from_trimesh_and_go_back():
    box = box_with_colours()
    again = Mesh.from_trimesh(box).as_trimesh()
    assert np.allclose(again.vertices, box.vertices, atol=1e-6)
    assert np.array_equal(again.faces, box.faces)
    assert np.abs(again.visual.vertex_colors[:, :3].astype(int) - box.visual.vertex_colors[:, :3]).max() <= 1


def test_a_mesh_without_colours_is_grey():
    shown = Mesh.from_trimesh(trimesh.creation.box()).render(views(1))
    assert_close(shown.rgb, 0.5 * shown.alpha.expand_as(shown.rgb), rtol=0, atol=1e-4)


def test_a_texture_of_trimesh_is_the_right_way_up():
    # A square that faces +x, its texture red at the top, where v is 1 in trimesh.
    corners = [[0, -0.5, -0.5], [0, 0.5, -0.5], [0, 0.5, 0.5], [0, -0.5, 0.5]]
    image = Image.new("RGB", (8, 8), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 8, 4))
    visual = trimesh.visual.TextureVisuals(uv=[[0, 0], [1, 0], [1, 1], [0, 1]], image=image)
    mesh = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    shown = Mesh.from_trimesh(mesh).render(orbit(torch.zeros(1), 0.0, width=32, height=32)).rgb[0]
    assert_close(shown[12, 16], torch.tensor([1.0, 0.0, 0.0]), rtol=0, atol=0.01)
    assert_close(shown[20, 16], torch.tensor([0.0, 0.0, 1.0]), rtol=0, atol=0.01)


def test_a_textured_mesh_learns_its_texture_and_is_restored():
    ball = Mesh.start(subdivisions=2)
    uv = torch.rand(len(ball.unsmoothed), 2, generator=torch.Generator().manual_seed(0))
    scene = Mesh(ball.vertices(), ball.faces, Texture(torch.full((8, 8, 3), 0.3), uv, ball.faces))
    shown = scene.render(views(1)).rgb
    shown.square().sum().backward()
    assert scene.colour_logits.grad.abs().max() > 0
    assert scene.unsmoothed.grad.abs().max() > 0
    assert torch.equal(Mesh.from_state(scene.state_dict()).render(views(1)).rgb, shown)


def test_a_mesh_without_faces_is_refused():
    with pytest.raises(ValueError, match="without faces"):
        Mesh.from_trimesh(trimesh.Trimesh(np.eye(3), np.empty((0, 3), int)))


def test_smoothing_too_many_vertices_is_refused():
    ball = trimesh.creation.icosphere(5)
    vertices, faces = torch.tensor(ball.vertices, dtype=torch.float32), torch.tensor(ball.faces)
    with pytest.raises(ValueError, match="expected at most 4096"):
        Mesh(vertices, faces, torch.full_like(vertices, 0.5), smoothness=1.0)
