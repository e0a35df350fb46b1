"""What a finished run leaves behind: the scene, pictures one can judge it by, and measured numbers."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Any

import torch

from distill3d import files, machine, pictures
from distill3d.camera import orbit, turntable
from distill3d.pictures import TILE, Row
from distill3d.priors.exact import Exact
from distill3d.rendering import Rendering
from distill3d.world.grammar import describe
from distill3d.world.metrics import measure, turned
from distill3d.world.model import Model, instances

if TYPE_CHECKING:
    from distill3d.prior import Prior
    from distill3d.runs import Run
    from distill3d.scene import Scene

FRAMES = 36
SHEET_VIEWS = 8
SHEET_ELEVATION_RAD = 0.3
WANT = ("rgb", "alpha", "depth")


def write_results(options: Any, run: Run, student: Scene, prior: Prior, seconds: float) -> None:
    """Write the scene, its pictures and, last of all, report.json; print where they are and how good."""
    begun = time.perf_counter()
    scene_file = "scene.ply" if files.kind_of(student) == "gaussians" else "scene.safetensors"
    files.save(student, run.path(scene_file))
    size = options.picture_size
    around = pictures.shoot(student, turntable(FRAMES, width=size, height=size))
    pictures.write_gif(run.path("turntable.gif"), around.over((1.0, 1.0, 1.0)))
    report: dict[str, Any] = {"prompt": options.prompt, "steps": options.steps, "seconds": round(seconds, 2)}
    truth = None
    if isinstance(prior, Exact):
        world, truth = _against_world(options, student, prior)
        report["world"] = world
    sheet = _sheet(options, student, truth, report)
    pictures.write_sheet(run.path("turntable.png"), sheet)
    report["seconds_for_results"] = round(time.perf_counter() - begun, 2)
    report |= machine.about(student.device)
    run.write_json("report.json", report)
    _print(run, report, scene_file)


@dataclasses.dataclass(frozen=True)
class Truth:
    """The instance that fits best, and how far it has to be turned to do so."""

    model: Model
    instance: int
    rotation_deg: float


def _against_world(options: Any, student: Scene, prior: Exact) -> tuple[dict[str, Any], Truth]:
    """The student's numbers against what the prior rendered."""
    description = describe(options.prompt)
    candidates = instances(description, prior.instances)
    found = measure(
        lambda cameras: pictures.shoot(student, cameras, WANT),
        description,
        candidates=candidates,
        size=options.size,
    )
    truth = Truth(candidates[found.instance], found.instance, found.rotation_deg)
    return dataclasses.asdict(found), truth


def _sheet(options: Any, student: Scene, truth: Truth | None, report: dict[str, Any]) -> Any:
    """Eight views around the student; below them the truth from the same sides, depth and opacity."""
    azimuths_rad = torch.arange(SHEET_VIEWS) * (2 * torch.pi / SHEET_VIEWS)
    size = options.picture_size
    cameras = orbit(azimuths_rad, SHEET_ELEVATION_RAD, width=size, height=size)
    made = pictures.shoot(student, cameras, WANT)
    rows = [Row("generated  (0° is the front)", made.over(TILE))]
    if truth is not None:
        label = f"truth: variation {truth.instance}, turned {truth.rotation_deg:.0f}°"
        rows.append(
            Row(label, truth.model.render(turned(cameras, math.radians(truth.rotation_deg))).over(TILE))
        )
    rows.append(Row("depth", pictures.colour_depth(made)))
    rows.append(Row("opacity", _opacity(made)))
    columns = [f"{a:.0f}°" for a in azimuths_rad.rad2deg().tolist()]
    return pictures.contact_sheet(
        rows, title=options.prompt, subtitle=_subtitle(options, report), columns=columns
    )


def _opacity(rendering: Rendering) -> torch.Tensor:
    """Opaque is dark, on the sheet's own background."""
    return torch.tensor(TILE) * (1 - 0.85 * rendering.alpha)


def _subtitle(options: Any, report: dict[str, Any]) -> str:
    words = [options.method, options.scene, f"{options.steps} steps"]
    words += [f"seed {options.seed}", f"{report['seconds']:.0f} s"]
    return "  ·  ".join([*words, *_numbers(report)])


def _numbers(report: dict[str, Any]) -> list[str]:
    """The first numbers of the world's report; those that do not apply are left out."""
    world = report.get("world", {})
    shown = {"psnr": "PSNR {:.1f} dB", "iou": "IoU {:.2f}", "faces": "faces {}"}
    return [text.format(world[key]) for key, text in shown.items() if world.get(key) is not None]


def _print(run: Run, report: dict[str, Any], scene_file: str) -> None:
    names = ", ".join([scene_file, "turntable.gif", "turntable.png", "report.json"])
    print("  ".join([f"{report['steps']} steps in {report['seconds']:.1f} s", *_numbers(report)]))
    print(f"{run.folder}: {names}")
