"""Any scene to a mesh for other programs: its surface with few triangles, unwrapped, its colours baked."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import chain

import numpy as np
import torch
import trimesh
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.conversions._baked import baked
from distill3d.conversions._density_grid import DensityGrid
from distill3d.conversions._simplified import simplified
from distill3d.conversions._squarely import squarely
from distill3d.conversions._texels import Texels, texels
from distill3d.conversions._unwrapped import check, unwrapped
from distill3d.conversions.framing import Ball, ball_around, cropped
from distill3d.conversions.scene_to_mesh import renders_to_mesh
from distill3d.field import Field
from distill3d.rendering import Rendering
from distill3d.representations._primitives import Primitives
from distill3d.representations.mesh import Mesh, Texture
from distill3d.scene import Scene
from distill3d.survey import surround

FINER = 2
"""Grid points of a field's density for each voxel, along each side."""


def scene_to_textured_mesh(
    scene: Scene,
    *,
    triangles: int = 20_000,
    texture_px: int = 1024,
    resolution: int = 128,
    views: int = 64,
    ball: Ball | None = None,
    surface: Callable[..., trimesh.Trimesh] = renders_to_mesh,
) -> Mesh:
    """The surface that a scene shows, closed, with about `triangles` faces and a square texture.

    The surface is fused from `views` pictures on `resolution` voxels a side (see `scene_to_mesh`), and its
    colours come from as many pictures half as wide as the texture. Colours that depend on the direction of
    sight become their mean over the views that look at the surface squarely. A field is drawn from its
    density on a grid, and asked for the colour of each texel, as seen from right above.

    The mesh lies where the scene does, in `ball`, which is found by `ball_around` when not given; what lies
    outside is left out, and what no view sees past, as the outside of a room, is solid. `surface` is what
    fuses the pictures, and may be `open3d_tsdf.renders_to_open_mesh`, which leaves open what is not seen.

    Raises ValueError when there is nothing to see, or where too little is asked for.
    """
    check(triangles, texture_px)
    _check_memory(resolution, texture_px, views)
    ball = ball or ball_around(scene)
    is_field = isinstance(scene, Field)
    drawn = DensityGrid.of(scene, resolution=FINER * resolution) if is_field else scene
    render = _renderer(drawn, ball)
    fused = surface(render, resolution=resolution, views=views, extent=ball.radius)
    shape = simplified(fused, triangles)

    def colours(places: Texels, flat: Mesh) -> Tensor:
        if isinstance(scene, Field):
            return squarely(scene, places, ball.centre, off=2 * ball.radius / resolution)
        cameras = surround(views, size_px=max(texture_px // 2, 64), extent=ball.radius)
        return baked(places, flat, render, cameras, ball.radius)

    mesh = _wrapped(shape, colours, texture_px, ball)
    mesh.scene_transform.copy_(scene.scene_transform)
    return mesh


def memory_bytes(resolution: int, texture_px: int, views: int) -> int:
    """About how much memory the conversion takes at its height, beside what the scene takes to be drawn.

    Voxels, pictures and texels with all that is worked out for them at once; measured to a fifth.
    """
    return 60_000_000 + 200 * resolution**3 + 72 * views * (2 * resolution) ** 2 + 300 * texture_px**2


def _check_memory(resolution: int, texture_px: int, views: int) -> None:
    needed = memory_bytes(resolution, texture_px, views)
    present = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > present:
        raise ValueError(
            f"a mesh at resolution {resolution} with a texture of {texture_px} pixels a side takes about "
            f"{needed / 1e9:.1f} GB, and this machine has {present / 1e9:.1f} GB; make either smaller"
        )


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
    shape: trimesh.Trimesh, colours: Callable[[Texels, Mesh], Tensor], texture_px: int, ball: Ball
) -> Mesh:
    """A mesh around the origin in a texture of its own, put to where the scene stands.

    `colours` says those of the texels that lie on a mesh around the origin.
    """
    vertices = torch.tensor(np.asarray(shape.vertices), dtype=torch.float32)
    faces = torch.tensor(np.asarray(shape.faces))
    uv, indices = unwrapped(shape, texture_px)
    places = texels(vertices, faces, uv, indices, texture_px)
    rgb = colours(places, Mesh(vertices, faces, torch.zeros_like(vertices)))
    return Mesh(vertices + ball.centre, faces, Texture(places.picture(rgb), uv, indices))
