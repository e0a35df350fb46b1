"""A textured mesh: a Greek amphora, turned from a profile, with its painting as a picture wrapped around it.

The light is painted too, so the file shows the same in viewers without lights. In the picture, u runs around
the body and v up its profile; the handles have two strips of their own at the top.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import CubicSpline, PchipInterpolator
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from distill3d import files
from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.representations.mesh import Mesh
from distill3d.world.shading import light
from scenes.painting import INK, painting

FILE = "amphora.glb"
Array = NDArray[np.float64]

WIDTH_PX, HEIGHT_PX = 768, 512
BODY_PX = 448  # rows of the picture for the body; the rest is for the handles
AROUND, UP, ALONG_HANDLE, AROUND_HANDLE = 96, 120, 40, 16
COLOURS = 160  # of the picture's palette
PROFILE = np.array(  # radius and height of the outside, from foot to lip
    [
        (0.20, -0.85), (0.21, -0.81), (0.12, -0.76), (0.13, -0.72), (0.28, -0.48), (0.42, -0.12),
        (0.44, 0.10), (0.36, 0.32), (0.20, 0.46), (0.15, 0.56), (0.145, 0.70), (0.22, 0.80), (0.22, 0.85),
    ]
)  # fmt: skip
HANDLE = np.array([(0.36, 0.30), (0.45, 0.42), (0.44, 0.60), (0.32, 0.70), (0.15, 0.68)])
HANDLE_RADIUS = 0.035


def make(folder: Path) -> None:
    """Body, floor of the foot, mouth and handles in one mesh with one texture."""
    files.save_mesh(amphora(), folder / FILE)


def truth(cameras: Cameras) -> Rendering:
    """The mesh as it was made, before any file."""
    with torch.no_grad():
        return Mesh.from_trimesh(amphora()).render(cameras, want=("rgb", "alpha", "depth", "normal"))


def amphora() -> trimesh.Trimesh:
    """In the world's frame: +z up, the handles to the left and right of the first camera."""
    pieces = [_body(), *(_handle(side) for side in (1, -1))]
    starts = np.cumsum([0, *(len(p[0]) for p in pieces[:-1])])
    vertices, uv = (np.concatenate([p[i] for p in pieces]) for i in (0, 2))
    faces = np.concatenate([p[1] + start for p, start in zip(pieces, starts, strict=True)])
    material = PBRMaterial(baseColorTexture=_texture(), metallicFactor=0.0, roughnessFactor=1.0)
    return trimesh.Trimesh(vertices, faces, visual=TextureVisuals(uv, material=material), process=False)


def _outline() -> tuple[Array, Array]:
    """The profile as a smooth line: UP + 1 points (radius, height), closed on the axis; and v of each."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(PROFILE, axis=0), axis=1))])
    at = np.linspace(0, along[-1], UP - 2)
    line = np.stack([PchipInterpolator(along, PROFILE[:, i])(at) for i in (0, 1)], 1)
    foot, mouth = np.array([[0.0, PROFILE[0, 1]]]), np.array([[0.17, 0.85], [0.0, 0.72]])
    v = np.concatenate([[0.0], 0.02 + 0.94 * at / along[-1], [0.98, 1.0]])
    return np.concatenate([foot, line, mouth]), v


def _body() -> tuple[Array, NDArray[np.int64], Array]:
    line, v = _outline()
    angle = np.linspace(0, 2 * np.pi, AROUND + 1)
    vertices = np.stack(
        [line[:, :1] * np.cos(angle), line[:, :1] * np.sin(angle), line[:, 1:] + 0 * angle], -1
    )
    u = np.broadcast_to(angle / (2 * np.pi), vertices.shape[:2])
    uv = np.stack([u, np.broadcast_to(v[:, None] * BODY_PX / HEIGHT_PX, u.shape)], -1)
    return vertices.reshape(-1, 3), _quads(len(line), AROUND + 1), uv.reshape(-1, 2)


def _handle(side: int) -> tuple[Array, NDArray[np.int64], Array]:
    """A tube along a curve in the plane of y and z; its strip of the picture is its own."""
    knots = np.linspace(0, 1, len(HANDLE))
    curve = CubicSpline(knots, HANDLE)
    t = np.linspace(0, 1, ALONG_HANDLE)
    (y, z), (dy, dz) = curve(t).T, curve(t, 1).T
    length = np.hypot(dy, dz)
    angle = np.linspace(0, 2 * np.pi, AROUND_HANDLE + 1)
    out = HANDLE_RADIUS * np.cos(angle)
    vertices = np.stack(
        [
            np.broadcast_to(HANDLE_RADIUS * np.sin(angle) * side, (len(t), len(angle))),
            side * (y[:, None] + (dz / length)[:, None] * out),
            z[:, None] - (dy / length)[:, None] * out,
        ],
        -1,
    )
    strip = (HEIGHT_PX - BODY_PX) / 2 / HEIGHT_PX
    low = BODY_PX / HEIGHT_PX + (strip if side > 0 else 0)
    v = low + strip * (0.1 + 0.8 * angle / (2 * np.pi))
    uv = np.stack(np.broadcast_arrays(0.02 + 0.96 * t[:, None], v[None]), -1)
    return vertices.reshape(-1, 3), _quads(len(t), len(angle))[:, ::-1], uv.reshape(-1, 2)


def _texture() -> Image.Image:
    """The painting, lit, in a palette."""
    v, u = ((np.arange(n) + 0.5) / n for n in (BODY_PX, WIDTH_PX))
    brightness = _body_light(u, v)
    body = painting(u[None], v[:, None]) * brightness[..., None]
    strips = np.concatenate([_handle_strip(side) for side in (1, -1)])
    rows = np.concatenate([body, strips])[::-1]  # v runs up
    pixels = (rows.clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(pixels).quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _body_light(u: Array, v: Array) -> Array:
    """Brightness [V, U] of the body at texture places, from the profile's normals."""
    line, at = _outline()
    slope = np.gradient(line, axis=0)
    normal = np.stack([slope[:, 1], -slope[:, 0]], 1)  # outwards in the plane of radius and height
    normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-9)
    radial, up = (np.interp(v, at, normal[:, i]) for i in (0, 1))
    angle = 2 * np.pi * u
    normals = np.stack(
        np.broadcast_arrays(radial[:, None] * np.cos(angle), radial[:, None] * np.sin(angle), up[:, None]), -1
    )
    return light(normals / np.linalg.norm(normals, axis=-1, keepdims=True).clip(1e-9))


def _handle_strip(side: int) -> Array:
    """The black glaze of a handle, lit by its mean normal around: a little lighter on top of the tube."""
    rows = (HEIGHT_PX - BODY_PX) // 2
    angle = 2 * np.pi * ((np.arange(rows) + 0.5) / rows - 0.1) / 0.8
    normals = np.stack([np.sin(angle) * side, 0.3 * side * np.cos(angle), 0.9 * np.cos(angle)], -1)
    brightness = light(normals / np.linalg.norm(normals, axis=1, keepdims=True))
    return np.broadcast_to((INK * brightness[:, None])[:, None], (rows, WIDTH_PX, 3))


def _quads(rows: int, columns: int) -> NDArray[np.int64]:
    """Two triangles for each cell of a grid of vertices, counter-clockwise in (column, row)."""
    here = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (x.reshape(-1) for x in (here[:-1, :-1], here[:-1, 1:], here[1:, 1:], here[1:, :-1]))
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
