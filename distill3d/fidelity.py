"""How much a conversion has lost, and where: the target's pictures beside the source's.

Seen from random cameras that no lesson has used, by the measures of `comparison`; and both as solids.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch

from distill3d.camera import Cameras
from distill3d.chamfer import solid_likeness
from distill3d.comparison import Comparison, compare
from distill3d.moment import Moment
from distill3d.rig import Rig
from distill3d.scene import Scene
from distill3d.teachers.scene import AROUND

VIEWS = 24
SEED = 20230
"""Of the held-out cameras: those of every conversion are the same."""
SOLID = ("rgb", "alpha", "depth")
GEOMETRY = (*SOLID, "normal")
NEAR, NEAR_VIEWS = 4.0, 8
"""The focal length of pictures from near, times that of the others; and how many there are."""


def held_out(size: int, views: int = VIEWS, rig: Rig = AROUND) -> Cameras:
    """Random cameras of a rig, [views], the same ones every time."""
    generator = torch.Generator().manual_seed(SEED)
    return rig.cameras(Moment(1, 1, generator), views=views, width=size, height=size)


def near(size: int, views: int = NEAR_VIEWS, rig: Rig = AROUND) -> Cameras:
    """The first of the held-out cameras, each looking at a part of its picture that is not at the border."""
    at = torch.rand(views, 2, generator=torch.Generator().manual_seed(SEED))
    return held_out(size, rig=rig)[:views].closer(torch.full((views,), NEAR), 0.25 + 0.5 * at)


@dataclass(frozen=True)
class Fidelity:
    """What a target has kept of its source."""

    pictures: Comparison
    psnr_near: float
    """Of pictures with a larger focal length, in dB."""
    chamfer: float | None
    """Between the surfaces, in world units; None if it was not measured or one has no surface."""
    iou: float | None

    def summary(self) -> dict[str, Any]:
        """The numbers of a report; JSON."""
        return {
            **kept(self.pictures),
            "psnr_vs_source_near": self.psnr_near,
            "normal_error_deg": self.pictures.normal_error_deg,
            "chamfer": self.chamfer,
            "iou": self.iou,
            "seconds_per_picture": float(self.pictures.scores.seconds.median()),
        }


def kept(pictures: Comparison) -> dict[str, Any]:
    """What the pictures alone say, normals aside; JSON."""
    scores = pictures.scores
    worst = int(scores.psnr.argmin())
    return {
        "psnr_vs_source": float(scores.psnr.mean()),
        "ssim_vs_source": float(scores.ssim.mean()),
        "psnr_vs_source_worst": float(scores.psnr[worst]),
        "worst_view": worst,
        "alpha_error": pictures.alpha_error,
        "depth_error": pictures.depth_error,
    }


def fidelity(
    source: Scene, target: Scene, *, size: int, views: int = VIEWS, resolution: int = 64, rig: Rig = AROUND
) -> Fidelity:
    """What `target` has kept of `source`, from where `rig` looks at both.

    size: side of the pictures in pixels. resolution: voxels a side for the solids; 0: leave them out.
    """
    ours, theirs = (functools.partial(scene.render, want=GEOMETRY) for scene in (target, source))
    pictures = compare(ours, theirs, held_out(size, views, rig))
    ours, theirs = (functools.partial(scene.render, want=SOLID) for scene in (target, source))
    with torch.no_grad():
        solids = solid_likeness(ours, theirs, resolution=resolution) if resolution else None
    psnr_near = float(compare(ours, theirs, near(size, rig=rig)).scores.psnr.mean())
    return Fidelity(pictures, psnr_near, solids and solids.chamfer, solids and solids.iou)
