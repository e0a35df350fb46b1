"""Any scene to a mesh for other programs: its surface with few triangles, unwrapped, its colours baked."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np
import torch
import trimesh

from distill3d.camera import Cameras
from distill3d.conversions._baked import baked
from distill3d.conversions._simplified import simplified
from distill3d.conversions._texels import texels
from distill3d.conversions._unwrapped import check, unwrapped
from distill3d.conversions.framing import Ball, ball_around, cropped
from distill3d.conversions.scene_to_mesh import renders_to_mesh
from distill3d.rendering import Rendering
from distill3d.representations._primitives import Primitives
from distill3d.representations.mesh import Mesh, Texture
from distill3d.scene import Scene
from distill3d.survey import surround


def scene_to_textured_mesh(
    scene: Scene,
    *,
    triangles: int = 20_000,
    texture_px: int = 1024,
    resolution: int = 128,
    views: int = 64,
    ball: Ball | None = None,
) -> Mesh:
    """The surface that a scene shows, closed, with about `triangles` faces and a square texture.

    The surface is fused from `views` pictures on `resolution` voxels a side (see `scene_to_mesh`), and its
    colours come from as many pictures half as wide as the texture. Colours that depend on the direction of
    sight become their mean over the views that look at the surface squarely. The mesh lies where the scene
    does, in `ball`, which is found by `ball_around` when not given; what lies outside is left out, and what
    no view sees past, as the outside of a room, is solid. Raises ValueError when there is nothing to see.
    """
    check(triangles, texture_px)
    ball = ball or ball_around(scene)
    render = _renderer(scene, ball)
    fused = renders_to_mesh(render, resolution=resolution, views=views, extent=ball.radius)
    shape = simplified(fused, triangles)
    mesh = _wrapped(shape, render, texture_px, views, ball)
    mesh.scene_transform.copy_(scene.scene_transform)
    return mesh


def _renderer(scene: Scene, ball: Ball) -> Callable[[Cameras], Rendering]:
    """Pictures of what the ball holds, from cameras that stand around the origin."""
    shown = cropped(scene, ball) if isinstance(scene, Primitives) else scene
    device = next((t.device for t in chain(scene.parameters(), scene.buffers())), torch.device("cpu"))

    def render(cameras: Cameras) -> Rendering:
        seen = shown.render(ball.seen_from(cameras).to(device), want=("rgb", "alpha", "depth"))
        assert seen.depth is not None
        return Rendering(seen.rgb.cpu(), seen.alpha.cpu(), seen.depth.cpu())

    return render


def _wrapped(
    shape: trimesh.Trimesh,
    render: Callable[[Cameras], Rendering],
    texture_px: int,
    views: int,
    ball: Ball,
) -> Mesh:
    """A mesh around the origin in a texture of its own, put to where the scene stands."""
    vertices = torch.tensor(np.asarray(shape.vertices), dtype=torch.float32)
    faces = torch.tensor(np.asarray(shape.faces))
    uv, indices = unwrapped(shape, texture_px)
    places = texels(vertices, faces, uv, indices, texture_px)
    cameras = surround(views, size_px=max(texture_px // 2, 64), extent=ball.radius)
    rgb = baked(places, Mesh(vertices, faces, torch.zeros_like(vertices)), render, cameras, ball.radius)
    return Mesh(vertices + ball.centre, faces, Texture(places.picture(rgb), uv, indices))
