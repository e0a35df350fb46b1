"""A scene shown by its surface alone: normals in the world as colours (n + 1) / 2, whatever it is painted.

Where a prior should judge shape and not colour, it is shown normals: Chen et al. 2023, "Fantasia3D" (arXiv
2303.13873), section 3.2; ProlificDreamer (arXiv 2305.16213) does so in its second stage.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from distill3d.camera import Cameras
from distill3d.rendering import Rendering
from distill3d.scene import WANT
from distill3d.wrapped import Wrapped


class Unpainted(Wrapped):
    """A scene whose pictures show normals."""

    def render(self, cameras: Cameras, *, want: Collection[str] = WANT) -> Rendering:
        """The scene's channels, with `as_normals` in place of its colours."""
        return as_normals(self.scene.render(cameras, want={*want, "normal"}))


def as_normals(rendering: Rendering) -> Rendering:
    """The same pictures, with colours that are the normals."""
    if rendering.normal is None:
        raise ValueError('no normals in this rendering; ask for them with want=("rgb", "alpha", "normal")')
    return dataclasses.replace(rendering, rgb=(rendering.normal + rendering.alpha) / 2)
