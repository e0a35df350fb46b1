"""What eval measures: a scene against photographs, another scene, or the closed world's truth.

Each function returns numbers for JSON, and what draws a picture of them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import comparison, files, lpips, pictures
from distill3d.chamfer import solid_likeness
from distill3d.commands.fit import COLOURS
from distill3d.comparison import WHITE, Renderer
from distill3d.data import photographs
from distill3d.data.dataset import open_dataset
from distill3d.data.photographs import Photographs
from distill3d.errors import UserError, given_by_user
from distill3d.pictures import Row, Sheet, shoot
from distill3d.recipe import SIZE
from distill3d.scene import Scene
from distill3d.teachers.images import over
from distill3d.world import metrics
from distill3d.world.grammar import describe
from distill3d.world.model import instances

if TYPE_CHECKING:
    from distill3d.commands.eval import Options

SHOWN = 6
COARSEST = 16  # voxels a side; fewer say nothing about a shape
WANT = ("rgb", "alpha", "depth", "normal")

Measured = tuple[dict[str, Any], Callable[[], Sheet]]


def against_photographs(scene: Scene, options: Options, run: dict[str, Any]) -> Measured:
    """The scores of all views of a split."""
    stored = run.get("options", {})
    folder = options.data or stored.get("data", "")
    downscale = options.downscale or stored.get("downscale", 1)
    dataset = open_dataset(folder)
    if options.frame == "dataset":
        dataset = dataclasses.replace(dataset, scene_transform=torch.eye(4, dtype=torch.float64))
    elif scene.knows_source:
        dataset = dataclasses.replace(dataset, scene_transform=scene.scene_transform.cpu())
    frames = dataset.test if options.split == "test" else dataset.train
    taken = photographs.load(dataset, frames, downscale=downscale)
    behind = _background(options.background, stored, taken)
    scores = comparison.against_photographs(
        _renderer(scene, ("rgb", "alpha")), taken, behind, lpips.on_disk()
    )
    numbers = {
        "data": str(folder),
        "split": options.split,
        **scores.summary([frame.picture.name for frame in frames]),
        "pictures": len(taken),
        "width": taken.cameras.width,
        "height": taken.cameras.height,
        "background": list(behind),
    }

    def sheet() -> Sheet:
        chosen = _some(len(taken))
        truth = over(taken.rgba[chosen], torch.tensor(behind).expand(len(chosen), 3))
        seen = shoot(scene, taken.cameras[chosen]).over(behind)
        return _beside(seen, truth, ("scene", "photograph"), _title(numbers), str(options.scene))

    return numbers, sheet


def _background(name: str, stored: dict[str, Any], taken: Photographs) -> tuple[float, float, float]:
    """What a fit of these photographs is judged on; random colours are judged on white."""
    if name == "auto":
        name = stored.get("background", "auto")
    if name == "auto":
        name = "black" if taken.opaque else "white"
    return COLOURS.get(name, WHITE)


def against_scene(scene: Scene, options: Options, run: dict[str, Any]) -> Measured:
    """The scores of the scene's pictures with the other's as the truth, and how far the geometries differ."""
    assert options.against is not None
    if 0 < options.resolution < COARSEST:
        raise UserError(
            f"--resolution is {options.resolution}; expected at least {COARSEST} voxels, or 0 for no solids"
        )
    other = files.load(options.against).to(scene.device)
    knowing = scene if scene.knows_source else other
    cameras = (
        files.load_cameras(options.cameras, knowing) if options.cameras else metrics.held_out(options.size)
    )
    ours, theirs = _renderer(scene, WANT), _renderer(other, WANT)
    found = comparison.compare(ours, theirs, cameras)
    numbers = {
        "against": str(options.against),
        **found.scores.summary([f"camera {i}" for i in range(len(cameras))]),
        "alpha_error": found.alpha_error,
        "depth_error": found.depth_error,
        "normal_error_deg": found.normal_error_deg,
        "pictures": len(cameras),
        "width": cameras.width,
        "height": cameras.height,
    }
    if options.resolution:
        solids = solid_likeness(
            *(_renderer(s, WANT[:3]) for s in (scene, other)), resolution=options.resolution
        )
        numbers["chamfer"] = solids.chamfer if solids else None
        numbers["iou"] = solids.iou if solids else None

    def sheet() -> Sheet:
        chosen = _some(len(cameras))
        seen, truth = (shoot(s, cameras[chosen]).over(WHITE) for s in (scene, other))
        return _beside(seen, truth, (str(options.scene), str(options.against)), _title(numbers), "")

    return numbers, sheet


def against_world(scene: Scene, options: Options, run: dict[str, Any]) -> Measured:
    """`world.metrics.measure`; the variations and the pictures' size are those of the run."""
    stored = run.get("options", {})
    prompt = options.prompt or stored.get("prompt", "")
    count = stored.get("prior_options", {}).get("instances", options.instances)
    size = stored.get("size", SIZE)
    if not prompt:
        raise UserError(
            f"{options.scene} has no prompt and no dataset; give a dataset's folder, "
            'or --prompt "a red robot", or use --against'
        )
    with given_by_user():
        description = describe(prompt)
    candidates = instances(description, count)
    report = metrics.measure(_renderer(scene, WANT[:3]), description, candidates=candidates, size=size)
    numbers = {"prompt": prompt, **dataclasses.asdict(report)}

    def sheet() -> Sheet:
        cameras = metrics.held_out(size)[_some(metrics.HELD_OUT_VIEWS)]
        turned = metrics.turned(cameras, math.radians(report.rotation_deg))
        truth = candidates[report.instance].render(turned).over(WHITE)
        seen = shoot(scene, cameras).over(WHITE)
        title = f"PSNR {report.psnr:.2f} dB   IoU {report.iou:.3f}"
        return _beside(seen, truth, ("scene", f"truth: {prompt}"), title, str(options.scene))

    return numbers, sheet


def _renderer(scene: Scene, want: Sequence[str]) -> Renderer:
    return lambda cameras: shoot(scene, cameras, want)


def _some(count: int) -> Tensor:
    """Which views a picture shows: a few, evenly spread."""
    return torch.linspace(0, count - 1, min(SHOWN, count)).round().long()


def _title(numbers: dict[str, Any]) -> str:
    return f"PSNR {numbers['psnr']:.2f} dB   SSIM {numbers['ssim']:.4f}"


def _beside(
    seen: Float[Tensor, "N H W 3"],
    truth: Float[Tensor, "N H W 3"],
    labels: tuple[str, str],
    title: str,
    subtitle: str,
) -> Sheet:
    """Pictures above the truth, and the difference below."""
    difference = (4 * (seen - truth).abs()).clamp(0, 1)
    rows = [Row(labels[0], seen), Row(labels[1], truth), Row("difference, four times", difference)]
    return pictures.contact_sheet(rows, title=title, subtitle=subtitle, tile_px=220)
