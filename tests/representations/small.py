"""A small start of every kind of scene, for tests that hold for all of them."""

from __future__ import annotations

from typing import Any

from distill3d import plugins
from distill3d.scene import Scene

OPTIONS: dict[str, dict[str, Any]] = {
    "gaussians": {"count": 40, "limit": 80, "opacity": 0.5},
    "hash_grid": {"levels": 3, "log2_entries": 8, "finest": 16, "width": 16, "samples": 24},
    "instant_ngp": {"levels": 3, "log2_entries": 8, "finest": 16, "width": 16, "samples": 24},
    "mesh": {"subdivisions": 2},
    "mlp": {"frequencies": 2, "width": 16, "layers": 2, "samples": 24},
    "nerfacto": {"levels": 3, "log2_entries": 8, "finest": 16, "width": 16, "samples": 24},
    "pvd": {"resolution": 8, "density_rank": 3, "colour_rank": 2, "width": 16, "samples": 24},
    "surfels": {"count": 30, "limit": 60, "opacity": 0.5, "radius": 1.0},
    "triplane": {"resolution": 8, "channels": 4, "width": 8, "samples": 24},
    "vm": {"resolution": 8, "density_rank": 3, "colour_rank": 2, "samples": 24},
    "voxels": {"resolution": 8, "samples": 24},
}
KINDS = sorted(plugins.menu("representations"))


def kind_of(name: str) -> type[Scene]:
    return plugins.load("representations", name, "scene", "")


def start(name: str, *, seed: int = 1) -> Scene:
    return kind_of(name).start(seed=seed, **OPTIONS.get(name, {}))
