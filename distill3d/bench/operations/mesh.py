"""Meshes: rasterize, interpolate colours, antialias."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from distill3d.bench._case import Case, Target, Work, random
from distill3d.camera import turntable
from distill3d.ops.antialias import antialias, opposite_corners
from distill3d.ops.interpolate import interpolate
from distill3d.ops.mesh import rasterize

TRIANGLE_BYTES, PIXEL_BYTES = 4 * (3 + 2 * 9), 4 * (1 + 3 + 1)
TRIANGLE_FLOPS, PIXEL_FLOPS = 300, 60
CHANNEL_BYTES = 4 * 4
"""A value of a picture, interpolated, blended and both back."""


def sphere(triangles: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Vertices and faces of a ball with about so many triangles, as a grid of latitudes and longitudes."""
    rings = max(2, round(math.sqrt(triangles / 4)))
    around = 2 * rings
    latitude = torch.linspace(-math.pi / 2, math.pi / 2, rings + 1)[:, None]
    longitude = (torch.arange(around) * (2 * math.pi / around))[None]
    vertices = torch.stack(
        torch.broadcast_tensors(
            latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()
        ),
        -1,
    ).reshape(-1, 3)
    ring, step = torch.meshgrid(torch.arange(rings), torch.arange(around), indexing="ij")
    here, beside = ring * around + step, ring * around + (step + 1) % around
    lower = torch.stack([here, beside, beside + around], -1)
    upper = torch.stack([here, beside + around, here + around], -1)
    faces = torch.cat([lower.reshape(-1, 3), upper.reshape(-1, 3)])
    return 0.9 * vertices.to(device), faces.int().to(device)


def _case(
    triangles: int,
    side: int,
    *,
    views: int = 1,
    channels: int = 3,
    targets: tuple[Target, ...] = (),
    definition: bool = False,
    at: int = 0,
) -> Case:
    def prepare(device: torch.device) -> Work:
        vertices, faces = sphere(triangles, device)
        colours = random(len(vertices), channels, device=device)
        cameras = turntable(views, width=side, height=side).to(device)
        opposite = opposite_corners(faces)
        leaves = [vertices.requires_grad_(), colours.requires_grad_()]

        def run() -> list[Tensor]:
            fragments = rasterize(vertices, faces, cameras)
            picture = interpolate(colours, faces, fragments)
            return [antialias(picture, fragments, vertices, faces, cameras, opposite=opposite)]

        def z_buffer() -> None:
            with torch.no_grad():
                rasterize(vertices, faces, cameras)

        pixels = views * side**2
        return Work(
            leaves,
            run,
            views * len(faces) * TRIANGLE_FLOPS + pixels * PIXEL_FLOPS,
            views * len(faces) * TRIANGLE_BYTES + pixels * (PIXEL_BYTES + channels * CHANNEL_BYTES),
            beside=z_buffer,
        )

    count = f"{triangles / 1000:g}k"
    size = f"{views} × {side}², {count} triangles" + (f", {channels} channels" if channels != 3 else "")
    return Case("mesh", size, prepare, definition, (), targets, at)


OF_THE_Z_BUFFER = Target(
    "less than 5 times the z-buffer alone",
    lambda m: m.both / m.beside if m.beside is not None else math.inf,
    most=5.0,
)


def cases() -> list[Case]:
    """From one that the definition can draw to large ones."""
    return [
        _case(1_280, 64, definition=True),
        _case(10_000, 256),
        _case(40_000, 512, targets=(OF_THE_Z_BUFFER,)),
        _case(10_000, 128, views=8),
    ]


def sweep(axis: str) -> list[Case]:
    """Over all axes, from 10k triangles at 256² with three channels in one view."""
    return {
        "primitives": [_case(n, 256, at=n) for n in (1_000, 3_000, 10_000, 30_000, 100_000)],
        "pixels": [_case(10_000, side, at=side**2) for side in (64, 128, 256, 512, 1024)],
        "views": [_case(10_000, 128, views=views, at=views) for views in (1, 2, 4, 8, 16)],
        "channels": [_case(10_000, 128, channels=n, at=n) for n in (1, 4, 16, 64)],
    }[axis]
