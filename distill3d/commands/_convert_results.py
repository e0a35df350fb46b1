"""What a finished conversion leaves behind: the scene, pictures beside the source's, and what was lost."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import torch

from distill3d import files, machine, pictures, plugins
from distill3d.camera import Cameras, turntable
from distill3d.comparison import WHITE, against_photographs
from distill3d.conversions.beyond import beyond
from distill3d.conversions.centred import put_back
from distill3d.data import photographs
from distill3d.data.dataset import open_dataset
from distill3d.fidelity import fidelity, held_out
from distill3d.pictures import Row
from distill3d.representations._primitives import Primitives
from distill3d.teachers.progress import PROGRESS, TOLERANCE, progress_of

if TYPE_CHECKING:
    from distill3d.commands.convert import Conversion
    from distill3d.runs import Run
    from distill3d.scene import Scene

FRAMES = 36
SHOWN = 6
BLACK = (0.0, 0.0, 0.0)
STRANGER_DB = 15.0
"""Of a source to photographs, under which they hardly show the same thing from where it was taken."""
SCENE_FILES = {"gaussians": "scene.ply", "mesh": "scene.glb"}


def write_results(options: Any, run: Run, parts: Conversion, seconds: float) -> None:
    """Write the scene, its pictures and, last of all, report.json; print where they are and how good."""
    begun = time.perf_counter()
    print("measuring what was lost, from pictures of both", flush=True)
    source, target = parts.source, parts.student
    scene_file = SCENE_FILES.get(options.to, "scene.safetensors")
    files.save(put_back(target, parts.given, source), run.path(scene_file))
    size = options.picture_size
    around = pictures.shoot(target, turntable(FRAMES, width=size, height=size))
    pictures.write_gif(run.path("turntable.gif"), around.over(WHITE))
    measured = fidelity(source, target, size=options.size, resolution=options.resolution, rig=parts.rig)
    report: dict[str, Any] = {
        "source": options.source,
        "from": files.kind_of(source),
        "to": options.to,
        "route": parts.route.name,
        "reason": parts.route.reason,
        "preset": options.preset,
        "steps": options.steps,
        "seconds": round(parts.seconds + seconds, 2),
        "seconds_to_start": round(parts.seconds, 2),
        "bytes_before": files.size_of(options.source),
        "bytes_after": run.path(scene_file).stat().st_size,
        "parameters_before": _parameters(source),
        "parameters": _parameters(target),
        **measured.summary(),
        **_progress(target),
        "elevations_deg": [parts.rig.elevation_min_deg, parts.rig.elevation_max_deg],
        "warnings": list(beyond(parts.given, target)),
    }
    if report["from"] == report["to"] and report["parameters"] >= report["parameters_before"]:
        smaller = plugins.load("targets", options.to, "kind of target", "").smaller
        report["warnings"].append(f"it is no smaller than its source; ask for less with {smaller}")
    if options.data is not None:
        report |= _against_truth(options, source, target)
        report["warnings"] += _strangers(report)
    _write_comparison(run, report, source, target, held_out(options.size, rig=parts.rig))
    report["seconds_for_results"] = round(time.perf_counter() - begun, 2)
    report |= machine.about(target.device)
    run.write_json("report.json", report)
    _print(run, report, scene_file)


def _parameters(scene: Scene) -> int:
    return sum(parameter.numel() for parameter in scene.parameters())


def _progress(target: Scene) -> dict[str, Any]:
    """How far the primitives have come to show what their source shows, if they have learned to."""
    if not isinstance(target, Primitives) or PROGRESS not in dict(target.extra.named_buffers()):
        return {}
    weights = progress_of(target)
    return {
        PROGRESS: {
            "mean": float(weights.mean()),
            "share_above_half": float((weights > 0.5).float().mean()),
            "tolerance": TOLERANCE,
        }
    }


def _write_comparison(
    run: Run, report: dict[str, Any], source: Scene, target: Scene, cameras: Cameras
) -> None:
    """Some views and the worst: the source's, the target's, and the difference."""
    evenly = torch.linspace(0, len(cameras) - 1, SHOWN).round().long()
    chosen = torch.cat([evenly, torch.tensor([report["worst_view"]])])
    ours, theirs = (pictures.shoot(scene, cameras[chosen]).over(WHITE) for scene in (target, source))
    rows = [
        Row(f"source: {report['from']}", theirs),
        Row(f"target: {report['to']}", ours),
        Row("difference, four times", (4 * (ours - theirs).abs()).clamp(0, 1)),
    ]
    columns = [*[""] * SHOWN, f"worst: {report['psnr_vs_source_worst']:.2f} dB"]
    sheet = pictures.contact_sheet(
        rows,
        title=f"{report['from']} to {report['to']}   PSNR {report['psnr_vs_source']:.2f} dB   "
        f"SSIM {report['ssim_vs_source']:.4f}",
        subtitle=f"by {report['route']}, {report['steps']} steps in {report['seconds']:.0f} s",
        columns=columns,
    )
    pictures.write_sheet(run.path("comparison.png"), sheet)


def _against_truth(options: Any, source: Scene, target: Scene) -> dict[str, Any]:
    """PSNR and SSIM of both against a dataset's test pictures, and what the conversion cost."""
    dataset = open_dataset(options.data)
    if source.knows_source:
        dataset = dataclasses.replace(dataset, scene_transform=source.scene_transform.cpu())
    taken = photographs.load(dataset, dataset.test, downscale=options.downscale)
    behind = BLACK if taken.opaque else WHITE
    numbers: dict[str, Any] = {"data": str(options.data)}
    for name, scene in (("source", source), ("target", target)):
        scores = against_photographs(scene.render, taken, behind)
        numbers |= {f"psnr_{name}": float(scores.psnr.mean()), f"ssim_{name}": float(scores.ssim.mean())}
    return {**numbers, "psnr_lost": numbers["psnr_source"] - numbers["psnr_target"]}


def _strangers(report: dict[str, Any]) -> list[str]:
    """What is to be said of photographs that the source itself is nothing like."""
    if report["psnr_source"] >= STRANGER_DB:
        return []
    return [
        f"the source itself has {report['psnr_source']:.1f} dB on the pictures of {report['data']}, "
        "which show something else or stand in another frame; give --data of what the source was made from"
    ]


def _print(run: Run, report: dict[str, Any], scene_file: str) -> None:
    numbers = (
        f"PSNR to the source {report['psnr_vs_source']:.2f} dB  SSIM {report['ssim_vs_source']:.4f}"
        f"  from near {report['psnr_vs_source_near']:.2f} dB"
    )
    megabytes = f"{report['bytes_before'] / 1e6:.2f} to {report['bytes_after'] / 1e6:.2f} MB"
    learned = f"{report['parameters_before']} to {report['parameters']} parameters"
    print(f"{report['steps']} steps in {report['seconds']:.1f} s  {numbers}")
    print(f"{report['from']} to {report['to']}: {learned}, {megabytes}")
    if "psnr_lost" in report:
        words = "against the pictures of {data}: source {psnr_source:.2f} dB, target {psnr_target:.2f} dB"
        print(words.format(**report))
    if PROGRESS in report:
        share, kind = 100 * report[PROGRESS]["share_above_half"], report["to"]
        near = "within {tolerance:g} of what the source shows there; progress {mean:.3f} in the mean"
        print(f"{share:.1f} % of the {kind} are {near.format(**report[PROGRESS])}")
    for warning in report["warnings"]:
        print(f"note: {warning}")
    print(f"{run.folder}: {scene_file}, turntable.gif, comparison.png, report.json")
    print(f"side by side: distill3d view {run.folder}")
