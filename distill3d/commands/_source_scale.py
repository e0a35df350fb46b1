"""--source-scale: how large a field's photographs were to its trainer, where the file does not say."""

from __future__ import annotations

from pathlib import Path

from distill3d import files
from distill3d.errors import UserError
from distill3d.representations._placed import Placed
from distill3d.scene import Scene


def load_scaled(path: Path, scale: float) -> Scene:
    """The scene in a file, with the scale that was given for its photographs; 0 is for none."""
    if not 0 <= scale < float("inf"):
        raise UserError(f"--source-scale is {scale:g}; expected a number over 0, or 0 for the file's own")
    scene = files.load(path)
    if scale:
        if not isinstance(scene, Placed):
            raise UserError(
                f"--source-scale was given and {path} holds {files.kind_of(scene)}, which needs none; "
                "leave it away"
            )
        scene.set_source_scale(scale)
    return scene
