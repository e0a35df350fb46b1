"""What formats cannot hold of a scene, in words: the one place that knows what is left out of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill3d.errors import lost
from distill3d.representations._extra import EXTRA
from distill3d.sh import degree_of


@dataclass(frozen=True)
class Holds:
    """What a format of Gaussians holds beside centres, rotations, scales, opacities and constant colours."""

    degree: int = 3
    """Of the harmonics of colours."""
    source: bool = False
    """The way to the scene from the world of what it was made from."""
    extra: bool = False
    """Properties that are not drawn, a number for each Gaussian."""
    antialiased: bool = False


GAUSSIANS = {
    ".ply": Holds(source=True, extra=True, antialiased=True),
    ".compressed.ply": Holds(source=True, antialiased=True),
    ".spz": Holds(antialiased=True),
    ".sog": Holds(antialiased=True),
    ".splat": Holds(degree=0),
    ".pt": Holds(),
    ".ckpt": Holds(),
    ".gaussians.glb": Holds(source=True, antialiased=True),
}
TEXTURES, COLOURS = (".glb", ".obj"), (".glb", ".obj", ".ply")
"""Formats of meshes that hold a texture, and colours at vertices."""
SOURCE = "the way from its source's world (scene_transform)"


def of_gaussians(state: Mapping[str, Any], suffix: str) -> list[str]:
    """What a file of Gaussians or surfels with this suffix has no room for."""
    holds = GAUSSIANS[suffix]
    degree = degree_of(state["sh"].shape[1])
    antialiased = bool(state.get("antialiased", False))
    extra = [
        name.removeprefix(EXTRA)
        for name, values in state.items()
        if name.startswith(EXTRA) and not (holds.extra and values.ndim == 1)
    ]
    return [
        *([SOURCE] if _is_way(state.get("scene_transform")) and not holds.source else []),
        *([f"harmonics over degree {holds.degree}"] if degree > holds.degree else []),
        *([f"the properties {', '.join(extra)}"] if extra else []),
        *(["that it is drawn antialiased"] if antialiased and not holds.antialiased else []),
    ]


def of_mesh(mesh: Any, suffix: str) -> list[str]:
    """What a file with this suffix has no room for of trimesh's mesh."""
    kind = mesh.visual.kind
    if kind == "texture" and suffix not in TEXTURES:
        return ["its texture, of which vertices have colours" if suffix in COLOURS else "its texture"]
    return ["the colours of its vertices"] if kind == "vertex" and suffix not in COLOURS else []


def of_scene_as_mesh(scene: torch.nn.Module) -> list[str]:
    """What no mesh holds of a scene of any kind."""
    harmonics = getattr(scene, "sh", None)
    directional = harmonics is not None and harmonics.shape[1] > 1
    return [
        *([SOURCE] if _is_way(getattr(scene, "scene_transform", None)) else []),
        *(["that colours depend on the view"] if directional or getattr(scene, "directional", False) else []),
    ]


def say(path: Path, things: Sequence[str]) -> None:
    """Warn in one sentence of what a file leaves out, if there is anything."""
    if things:
        lost(f"{path} leaves out {' and '.join(things)}; .safetensors keeps all that a scene has")


def _is_way(transform: Tensor | None) -> bool:
    return transform is not None and not torch.equal(transform, torch.eye(4).to(transform))
