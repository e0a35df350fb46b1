"""What a finished fit leaves behind: the scene, its test pictures beside the truth, and measured numbers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

from distill3d import files, pictures
from distill3d.camera import turntable
from distill3d.comparison import against_photographs
from distill3d.data import photographs
from distill3d.data.dataset import Dataset, open_dataset
from distill3d.pictures import Row
from distill3d.teachers.images import over

if TYPE_CHECKING:
    from distill3d.runs import Run
    from distill3d.scene import Scene

FRAMES = 36
SHOWN = 6
WHITE = (1.0, 1.0, 1.0)


def write_results(options: Any, run: Run, student: Scene, seconds: float) -> None:
    """Write the scene, its pictures and, last of all, report.json; print where they are and how good."""
    begun = time.perf_counter()
    scene_file = "scene.ply" if files.kind_of(student) == "gaussians" else "scene.safetensors"
    files.save(student, run.path(scene_file))
    size = options.picture_size
    around = pictures.shoot(student, turntable(FRAMES, width=size, height=size))
    pictures.write_gif(run.path("turntable.gif"), around.over(WHITE))
    report: dict[str, Any] = {"data": options.data, "steps": options.steps, "seconds": round(seconds, 2)}
    means = getattr(student, "means", None)
    report["primitives"] = len(means) if isinstance(means, torch.Tensor) else None
    report["parameters"] = sum(p.numel() for p in student.parameters())
    dataset = open_dataset(options.data)
    if dataset.test:
        report |= _on_test_views(options, run, student, dataset)
    report["seconds_for_results"] = round(time.perf_counter() - begun, 2)
    report |= {"device": "cpu", "threads": torch.get_num_threads()}
    run.write_json("report.json", report)
    numbers = [f"PSNR {report['psnr']:.2f} dB  SSIM {report['ssim']:.4f}"] if "psnr" in report else []
    print("  ".join([f"{options.steps} steps in {seconds:.1f} s", *numbers]))
    print(f"{run.folder}: {scene_file}, turntable.gif, comparison.png, report.json")


def _on_test_views(options: Any, run: Run, student: Scene, dataset: Dataset) -> dict[str, Any]:
    """The means over all test views, each over white, and a picture of some of them beside the truth."""
    taken = photographs.load(dataset, dataset.test, downscale=options.downscale)
    scores = against_photographs(student.render, taken)
    measured = {**scores.summary([frame.picture.name for frame in dataset.test]), "test_views": len(taken)}
    chosen = torch.linspace(0, len(taken) - 1, min(SHOWN, len(taken))).round().long()
    seen = pictures.shoot(student, taken.cameras[chosen]).over(WHITE)
    truth = over(taken.rgba[chosen], torch.ones(len(chosen), 3))
    rows = [
        Row("fitted", seen),
        Row("photograph", truth),
        Row("difference, four times", (4 * (seen - truth).abs()).clamp(0, 1)),
    ]
    title = f"PSNR {measured['psnr']:.2f} dB   SSIM {measured['ssim']:.4f}"
    subtitle = f"{options.scene} after {options.steps} steps, on {len(taken)} pictures it has not seen"
    pictures.write_sheet(
        run.path("comparison.png"), pictures.contact_sheet(rows, title=title, subtitle=subtitle, tile_px=220)
    )
    return measured
