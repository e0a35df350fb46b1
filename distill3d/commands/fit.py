"""Fit a 3-D scene to photographs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from distill3d import plugins
from distill3d.commands import _device, _flags
from distill3d.commands._options import Grammar, presets
from distill3d.commands._training import Command, Parts
from distill3d.errors import UserError, given_by_user, lost

if TYPE_CHECKING:
    from distill3d.camera import Cameras
    from distill3d.data.photographs import Photographs
    from distill3d.runs import Checkpoint, Run

Data = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]


@dataclass(frozen=True)
class Options:
    """Fit a 3-D scene to photographs.

    DATA is a folder with pictures and their cameras, as Blender, nerfstudio, instant-ngp, COLMAP or LLFF
    write them, all of one size; where they have masks, black is left out. The scene is judged on the pictures
    that the dataset keeps for it, or on every eighth.
    """

    data: Data = ""
    """The dataset's folder."""
    downscale: int = 1
    """Divide the sides of the photographs by this."""
    preset: Literal["quick", "standard", "high"] = "standard"
    """How good it should become, and how long it may take; `Grammar` adds what it decides."""
    steps: int = 0
    """How often the scene is rendered and improved; 0: as the preset says."""
    views: int = 0
    """Photographs for each step; 0: as the preset says, or one."""
    rays: int = 0
    """Look at so many of their pixels, evenly spread, or a few more; 0: as the preset says, or at all of
    them."""
    background: Literal["auto", "random", "white", "black"] = "auto"
    """What stands behind scene and photographs; auto: random colours if the photographs have alpha, else
    black."""
    size: int = 0
    """Longer side of the pictures in pixels; a run begins with smaller ones; 0: the photographs'."""


COLOURS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0)}
GRAMMAR = Grammar(
    "fit",
    Options,
    {"scene": ("representations", "gaussians")},
    scene_from=("from_photographs", "start"),
    preset=Options.preset,
)


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    return Command(GRAMMAR, _resolve, _folder_name, _build, _finish).main(argv)


def _folder_name(options: Any) -> str:
    from distill3d.runs import slug

    return slug(f"{Path(options.data).resolve().name}-{options.scene}")


def _resolve(options: Any) -> Any:
    """Steps from the preset and the pictures' size from the dataset, where they were not given."""
    if not options.data:
        raise UserError("no dataset was given; expected its folder: distill3d fit DATA")
    at_least = {
        "steps": 0,
        "size": 0,
        "downscale": 1,
        "views": 0,
        "rays": 0,
        "checkpoint_every": 1,
        "picture_size": 1,
    }
    for name, least in at_least.items():
        _flags.at_least(least, name, getattr(options, name))

    from distill3d.data.dataset import open_dataset

    dataset = open_dataset(options.data)
    for sentence in dataset.left_out:
        lost(f"{options.data}: {sentence}")
    cameras = dataset.cameras(dataset.train)
    size = options.size or max(cameras.width, cameras.height) // options.downscale
    preset = presets(plugins.find("representations", options.scene, "scene", GRAMMAR.help))[options.preset]
    return dataclasses.replace(
        options,
        data=str(Path(options.data).resolve()),
        size=size,
        steps=options.steps or preset["steps"],
        views=options.views or preset.get("views", 1),
        rays=options.rays or preset.get("rays", 0),
    )


def _build(options: Any, checkpoint: Checkpoint | None) -> Parts:
    from distill3d.commands._progress import reading
    from distill3d.data import photographs
    from distill3d.data.dataset import open_dataset
    from distill3d.distill import Pictures
    from distill3d.teachers.images import Images

    dataset = open_dataset(options.data)
    kind = plugins.load("representations", options.scene, "scene", GRAMMAR.help)
    with reading("photographs") as told:
        taken = photographs.load(dataset, dataset.train, downscale=options.downscale, progress=told)
    if not taken.believed.any():
        raise UserError(
            f"the masks of {options.data} are black all over; expected white where pictures are believed"
        )
    with given_by_user():
        if checkpoint is None:
            flags = dataclasses.asdict(options.scene_options)
            student = kind.from_photographs(dataset.seen(taken.cameras), seed=options.seed, **flags)
        else:
            student = kind.from_state(checkpoint.state["student"])
    device = _device.device(options.device)
    student.scene_transform.copy_(dataset.scene_transform)
    teacher = Images(
        taken.to(device),
        background=_background(options.background, taken),
        stride=_stride(options, taken.cameras),
    )
    return Parts(student.to(device), Pictures(teacher, teacher, options.views, options.size))


def _stride(options: Any, cameras: Cameras) -> int:
    """Every how manieth pixel of the pictures at their full size makes up `options.rays`, or a few more."""
    shrunk = min(1.0, options.size / max(cameras.width, cameras.height))
    pixels = options.views * cameras.width * cameras.height * shrunk**2
    return max(1, math.isqrt(int(pixels / options.rays))) if options.rays else 1


def _background(name: str, taken: Photographs) -> tuple[float, float, float] | None:
    """The colour that --background means for these photographs; None: another one each time."""
    if name == "auto":
        name = "black" if taken.opaque else "random"
    return COLOURS.get(name)


def _finish(options: Any, run: Run, parts: Parts, seconds: float) -> None:
    from distill3d.commands._fit_results import write_results

    write_results(options, run, parts.student, parts.lesson.teacher.background, seconds)  # type: ignore[attr-defined]
