"""What a finished fit leaves behind: the scene, its test pictures beside the truth, and measured numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from distill3d import files, lpips, machine, pictures
from distill3d.camera import Cameras, turntable
from distill3d.commands._progress import reading
from distill3d.comparison import WHITE, against_photographs
from distill3d.data import photographs
from distill3d.data.dataset import Dataset, open_dataset
from distill3d.pictures import Row
from distill3d.teachers.images import over

if TYPE_CHECKING:
    from distill3d.runs import Run
    from distill3d.scene import Scene

FRAMES = 36
SHOWN = 6


def write_results(
    options: Any, run: Run, student: Scene, background: Sequence[float] | None, seconds: float
) -> None:
    """Write the scene, its pictures and, last of all, report.json; print where they are and how good.

    background: what stood behind the photographs; None for another colour in each, which are judged on white.
    """
    begun = time.perf_counter()
    judged_on = WHITE if background is None else tuple(background)
    scene_file = "scene.ply" if files.kind_of(student) == "gaussians" else "scene.safetensors"
    files.save(student, run.path(scene_file))
    size = options.picture_size
    around = pictures.shoot(student, turntable(FRAMES, width=size, height=size))
    pictures.write_gif(run.path("turntable.gif"), around.over(judged_on))
    means = getattr(student, "means", None)
    report: dict[str, Any] = {
        "data": options.data,
        "scene": options.scene,
        "preset": options.preset,
        "steps": options.steps,
        "seconds": round(seconds, 2),
        "primitives": len(means) if isinstance(means, torch.Tensor) else None,
        "parameters": sum(p.numel() for p in student.parameters()),
    }
    dataset = open_dataset(options.data)
    report["elevations_deg"] = _elevations(dataset.cameras(dataset.train))
    if dataset.test:
        report |= _on_test_views(options, run, student, dataset, judged_on)
    report["seconds_for_results"] = round(time.perf_counter() - begun, 2)
    report |= machine.about(student.device)
    run.write_json("report.json", report)
    _print(run, report, scene_file)


def _elevations(cameras: Cameras) -> list[float]:
    """The lowest and the highest camera, in degrees above the horizon of what they look at."""
    upwards = torch.nn.functional.normalize(cameras.centres, dim=-1)[:, 2]
    return [float(end.asin().rad2deg()) for end in upwards.clamp(-1, 1).aminmax()]


def _on_test_views(
    options: Any, run: Run, student: Scene, dataset: Dataset, judged_on: Sequence[float]
) -> dict[str, Any]:
    """The means over all test views, and a picture of some of them and the worst beside the truth."""
    with reading("photographs to judge by") as told:
        taken = photographs.load(dataset, dataset.test, downscale=options.downscale, progress=told)
    names = [frame.picture.name for frame in dataset.test]
    scores = against_photographs(student.render, taken, judged_on, lpips.on_disk())
    measured = scores.summary(names) | {
        "test_views": len(taken),
        "test_size": [taken.cameras.width, taken.cameras.height],
        "background": list(judged_on),
    }
    evenly = torch.linspace(0, len(taken) - 1, min(SHOWN, len(taken))).round().long()
    chosen = torch.cat([evenly, scores.psnr.argmin()[None]])
    seen = pictures.shoot(student, taken.cameras[chosen]).over(judged_on)
    truth = over(taken.rgba[chosen], torch.tensor(judged_on).expand(len(chosen), 3))
    rows = [
        Row("fitted", seen),
        Row("photograph", truth),
        Row("difference, four times", (4 * (seen - truth).abs()).clamp(0, 1)),
    ]
    columns = [*(names[i] for i in evenly), f"worst: {measured['psnr_worst']:.2f} dB"]
    sheet = pictures.contact_sheet(
        rows,
        title=f"PSNR {measured['psnr']:.2f} dB   SSIM {measured['ssim']:.4f}",
        subtitle=f"{options.scene} after {options.steps} steps, on {len(taken)} pictures it has not seen",
        columns=columns,
        tile_px=220,
    )
    pictures.write_sheet(run.path("comparison.png"), sheet)
    return measured


def _print(run: Run, report: dict[str, Any], scene_file: str) -> None:
    judged = "psnr" in report
    numbers = [f"PSNR {report['psnr']:.2f} dB  SSIM {report['ssim']:.4f}"] if judged else []
    print("  ".join([f"{report['steps']} steps in {report['seconds']:.1f} s", *numbers]))
    names = [scene_file, "turntable.gif", *(["comparison.png"] if judged else []), "report.json"]
    print(f"{run.folder}: {', '.join(names)}")
    if not judged:
        print("the dataset keeps no pictures to judge by, so the report has no PSNR")
