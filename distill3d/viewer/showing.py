"""What of a scene goes to the page: the bytes that it draws itself, where the scene lies, its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill3d import files
from distill3d.formats import ply_gaussians
from distill3d.representations._primitives import Primitives
from distill3d.scene import Scene
from distill3d.viewer.protocol import Channel, Shown, Vector

FLAT = 0.01
"""Thickness of a surfel that is drawn as a Gaussian, as a share of its smaller side."""
UNSEEN_LOGIT = -30.0
STRAY = 0.01
"""Share of primitives on either side along each axis that do not count for where a scene lies."""


@dataclass(frozen=True)
class Showing:
    """A scene, ready for the page."""

    scene: Scene
    kind: str
    shown: Shown
    format: Literal["ply", "glb"] | None
    data: bytes
    offset: Vector
    centre: Vector
    radius: float
    primitives: int
    parameters: int
    channels: tuple[Channel, ...]
    warning: str
    """A sentence about what is wrong with the scene, or nothing."""


@torch.no_grad()
def show(scene: Scene) -> Showing:
    """Prepare a scene for the page. Primitives that are not finite stay in their place, but invisible."""
    if isinstance(scene, Primitives):
        return _splats(scene)
    if files.kind_of(scene) == "mesh":
        return _mesh(scene)
    return Showing(
        scene,
        files.kind_of(scene),
        "frames",
        None,
        b"",
        *((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 1.0),
        *(0, _parameters(scene)),
        ("rgb", "depth", "normal", "alpha"),
        _not_finite(sum(int((~p.isfinite()).sum()) for p in scene.parameters()), "numbers"),
    )


def _splats(scene: Primitives) -> Showing:
    learned = {name: value.detach() for name, value in scene.learned().items()}
    bad = ~finite(scene)
    count = len(bad)
    means = learned["means"][~bad]
    centre, radius = _extent(means)
    state = {name: torch.where(_like(bad, value), 0.0, value) for name, value in learned.items()}
    state["means"] = state["means"] - torch.tensor(centre) * (~bad[:, None])
    state["opacity_logits"] = torch.where(bad, UNSEEN_LOGIT, state["opacity_logits"])
    state["wxyz"] = torch.where(bad[:, None], torch.tensor([1.0, 0, 0, 0]), state["wxyz"])
    scales = state["log_scales"]
    if scales.shape[1] == 2:
        thin = scales.min(1, keepdim=True).values + torch.tensor(FLAT).log()
        state["log_scales"] = torch.cat([scales, thin], 1)
    channels: tuple[Channel, ...] = ("rgb", "depth", "normal", "alpha")
    if files.kind_of(scene) == "gaussians":
        channels = (*channels, "contributions")
    return Showing(
        scene,
        files.kind_of(scene),
        "splats",
        "ply",
        ply_gaussians.write(state),
        *(centre, centre, radius),
        *(count, _parameters(scene)),
        channels,
        _not_finite(int(bad.sum()), "primitives"),
    )


def _mesh(scene: Scene) -> Showing:
    from distill3d.formats import mesh as mesh_format  # with trimesh, which other kinds need not wait for
    from distill3d.representations.mesh import Mesh

    assert isinstance(scene, Mesh)
    vertices = scene.vertices()
    bad = ~vertices.isfinite().all(1)
    centre, radius = _extent(vertices[~bad])
    (data,) = mesh_format.write(scene.as_trimesh(), "glb").values()
    return Showing(
        scene,
        "mesh",
        "mesh",
        "glb",
        data,
        *((0.0, 0.0, 0.0), centre, radius),
        *(len(scene.faces), _parameters(scene)),
        ("rgb", "depth", "normal", "alpha"),
        _not_finite(int(bad.sum()), "vertices"),
    )


def finite(scene: Primitives) -> Bool[Tensor, " N"]:
    """Which primitives have only finite numbers."""
    rows = [value.detach().reshape(len(value), -1) for value in scene.learned().values()]
    return torch.cat(rows, 1).isfinite().all(1)


def _like(rows: Bool[Tensor, " N"], value: Tensor) -> Tensor:
    return rows.reshape(-1, *[1] * (value.ndim - 1))


def _extent(points: Float[Tensor, "N 3"]) -> tuple[Vector, float]:
    """Centre and radius of a ball around nearly all points; the unit ball where there are none."""
    if not len(points):
        return (0.0, 0.0, 0.0), 1.0
    ordered = points.sort(dim=0).values
    stray = int(STRAY * len(points))
    low, high = ordered[stray], ordered[-1 - stray]
    x, y, z = ((low + high) / 2).tolist()
    return (x, y, z), max(float((high - low).norm() / 2), 1e-6)


def _parameters(scene: Scene) -> int:
    return sum(p.numel() for p in scene.parameters())


def _not_finite(count: int, what: str) -> str:
    return f"{count} of its {what} are not finite and cannot be shown; train it again" if count else ""
