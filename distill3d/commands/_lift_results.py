"""What a finished lifting leaves behind: the scene with its features, their words, pictures, and numbers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from distill3d import files, machine, pictures
from distill3d.camera import Cameras, orbit, turntable
from distill3d.commands.lift import WORDS_FILE
from distill3d.conversions.framing import around
from distill3d.lift.lifting import Lifting
from distill3d.lift.operator import operator_of
from distill3d.lift.query import RELIABILITY, Features
from distill3d.pictures import TILE, Row
from distill3d.representations._primitives import Primitives

if TYPE_CHECKING:
    from distill3d.runs import Run

FRAMES = 36
SHEET_VIEWS, SHEET_ELEVATION_RAD = 6, 0.3
AT_ONCE = 8
SCENE_FILE = "scene.safetensors"
MOST_ROWS = 4
"""Of words whose heat is pictured."""


def write_results(options: Any, run: Run, lifting: Lifting, seconds: float) -> None:
    """Write the scene, its pictures and, last of all, report.json; print where they are and how good."""
    begun = time.perf_counter()
    scene, maps = lifting.scene, lifting.maps
    files.save(scene, run.path(SCENE_FILE))
    _, height, width, count = lifting.operator.shape
    report: dict[str, Any] = {
        "source": options.source,
        "kind": files.kind_of(scene),
        "features": options.features,
        "views": len(maps.cameras),
        "map": [height, width],
        "patch": maps.patch,
        "primitives": count,
        "channels": maps.channels,
        "words": sorted(maps.words),
        "refine": options.refine,
        "seconds": round(seconds, 2),
        "residual": lifting.residual(),
        **lifting.numbers(),
        **maps.judge(lifting.features, lifting.evidence.mass),
        "bytes": run.path(SCENE_FILE).stat().st_size,
    }
    meaning = Features(torch.nn.functional.normalize(lifting.features, dim=1), options.features, maps.words)
    _write_pictures(options, run, report, scene, meaning)
    report["seconds_for_results"] = round(time.perf_counter() - begun, 2)
    report |= machine.about(scene.device)
    run.write_json("report.json", report)
    _print(run, report)


def _write_pictures(
    options: Any, run: Run, report: dict[str, Any], scene: Primitives, meaning: Features
) -> None:
    """A turntable of the scene beside its features as colours; a sheet with reliability and words as well."""
    size = options.picture_size
    cameras = around(scene, turntable(FRAMES, width=size, height=size))
    plain = pictures.shoot(scene, cameras).over(TILE)
    coloured = _drawn(scene, meaning.colours(), cameras)
    pictures.write_gif(run.path("turntable.gif"), torch.cat([plain, coloured], 2))
    azimuths_rad = torch.arange(SHEET_VIEWS) * (2 * torch.pi / SHEET_VIEWS)
    cameras = around(scene, orbit(azimuths_rad, SHEET_ELEVATION_RAD, width=size, height=size))
    reliability = dict(scene.extra.named_buffers())[RELIABILITY]
    rows = [
        Row("the scene", pictures.shoot(scene, cameras).over(TILE)),
        Row("features: the principal components as colours", _drawn(scene, meaning.colours(), cameras)),
        Row(
            "reliability: dark is where the pictures agree",
            _drawn(scene, pictures.heat(reliability), cameras),
        ),
    ]
    for word in list(meaning.words)[:MOST_ROWS]:
        fit = meaning.like_words(word).clamp(0, 1)
        rows.append(Row(f"“{word}”: dark is what fits", _drawn(scene, pictures.heat(fit), cameras)))
    sheet = pictures.contact_sheet(
        rows,
        title=f"{report['features']} lifted to {report['primitives']} {report['kind']}",
        subtitle="  ·  ".join(_numbers(report)),
        columns=[f"{a:.0f}°" for a in azimuths_rad.rad2deg().tolist()],
    )
    pictures.write_sheet(run.path("turntable.png"), sheet)


def _drawn(scene: Primitives, colours: Float[Tensor, "N 3"], cameras: Cameras) -> Float[Tensor, "V H W 3"]:
    """Primitives in these colours, on the sheet's own background."""
    operator = operator_of(scene, cameras)
    with_alpha = torch.cat([colours, torch.ones(len(colours), 1)], 1)
    runs = range(0, len(cameras), AT_ONCE)
    drawn = torch.cat([operator[i : i + AT_ONCE].matvec(with_alpha) for i in runs])
    return drawn[..., :3] + (1 - drawn[..., 3:]) * torch.tensor(TILE)


def _numbers(report: dict[str, Any]) -> list[str]:
    """The first numbers of the report; those that are not known are left out."""
    shown = {
        "views": "{} pictures",
        "channels": "{} channels",
        "residual": "residual {:.4f}",
        "seen": "{:.0%} seen",
        RELIABILITY: "reliability {:.3f}",
        "part_miou": "part mIoU {:.3f}",
        "angle_deg": "{:.1f}° from the truth",
    }
    return [text.format(report[key]) for key, text in shown.items() if key in report]


def _print(run: Run, report: dict[str, Any]) -> None:
    print("  ".join([f"lifted in {report['seconds']:.1f} s", *_numbers(report)]))
    names = [
        SCENE_FILE,
        *([WORDS_FILE] if report["words"] else []),
        "turntable.gif",
        "turntable.png",
        "report.json",
    ]
    print(f"{run.folder}: {', '.join(names)}")
    asks = f', where "{report["words"][0]}" can be looked for' if report["words"] else ""
    print(f"look at it: distill3d view {run.folder}{asks}")
