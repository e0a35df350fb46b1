"""Numbers for a scene: against photographs, the closed world's truth, or another scene."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from distill3d.commands import _device, _flags
from distill3d.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Numbers for a scene, as JSON on standard output.

    With DATA: PSNR in dB and SSIM against a dataset's photographs, their means and worst views,
    and the seconds that a picture takes. With --against: these for another scene's pictures from the same
    cameras, with errors of opacity, depth and normals, and the Chamfer distance (world units) and IoU of both
    solids. Otherwise, for a prompt of the closed world: PSNR, IoU, faces and more against the instance that
    fits best. A run's folder knows its dataset or its prompt.
    """

    scene: _flags.SceneWord
    """A run's folder, a .ply with Gaussians, a .safetensors, or any other scene."""
    data: _flags.DataWord = ""
    """A dataset's folder."""
    split: Literal["test", "train"] = "test"
    """The photographs to measure against: those kept for it, or those that were learned from."""
    downscale: int = 0
    """Divide the sides of the photographs by this; 0: as the run did, else 1."""
    background: Literal["auto", "white", "black"] = "auto"
    """What stands behind the photographs and the scene; auto: as in the run's report, else black behind
    opaque photographs and white behind others."""
    frame: Literal["ours", "dataset"] = "ours"
    """The world that the scene stands in: ours, to which fits carry the way from the dataset's and where else
    the dataset's subject is in the unit ball; or the dataset's own, as other programs leave it."""
    source_scale: float = 0.0
    """What the trainer of a field has multiplied its photographs' positions by, where its file does not say:
    torch-ngp's --scale, and PVD's. 0: as in the file, else 0.33 and 0.8, as they do by default."""
    against: _flags.File = None
    """Another scene to compare with."""
    cameras: _flags.File = None
    """With --against: a transforms.json to compare from, instead of 24 cameras around; as for render."""
    size: int = 128
    """With --against and no --cameras: side of the pictures in pixels."""
    resolution: int = 64
    """With --against: voxels a side of the grid for Chamfer distance and IoU; 0: leave them out."""
    prompt: str = ""
    """What the scene should show, in the closed world; by default the run's own prompt."""
    instances: int = 8
    """How many variations of the object to look for the best fit among; a run's folder knows its own."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to draw: on the processor, or on a GPU."""
    picture: _flags.File = None
    """Also draw some views beside the truth, with the difference, to this .png."""
    out: _flags.File = None
    """Also write the numbers to this file."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = _flags.parse(Options, argv, "eval")
    least = {"instances": 1, "size": 1, "downscale": 0, "resolution": 0}
    for name, number in least.items():
        _flags.at_least(number, name, getattr(options, name))
    measure = _measure(options)

    from distill3d import atomic
    from distill3d.commands._source_scale import load_scaled
    from distill3d.pictures import write_sheet

    run = _run_of(options.scene)
    scene = load_scaled(options.scene, options.source_scale).to(_device.device(options.device))
    numbers, sheet = measure(scene, options, run)
    text = json.dumps(numbers, indent=2)
    print(text)
    if options.out is not None:
        atomic.write(options.out, (text + "\n").encode())
    if options.picture is not None:
        write_sheet(options.picture, sheet())
    return 0


def _measure(options: Options) -> Any:
    """What measures: by what the scene is to be compared with."""
    wanted = {"DATA": options.data, "--against": options.against, "--prompt": options.prompt}
    given = [name for name, value in wanted.items() if value]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} were given; expected one thing to compare the scene with")
    if options.cameras is not None and options.against is None:
        raise UserError("--cameras was given without --against; photographs bring their own cameras")
    if options.picture is not None and options.picture.suffix.lower() != ".png":
        raise UserError(f"--picture is {options.picture}; expected a name that ends in .png")

    from distill3d.commands import _eval

    if options.against is not None:
        return _eval.against_scene
    if options.data or (not options.prompt and _run_of(options.scene).get("command") == "fit"):
        return _eval.against_photographs
    return _eval.against_world


def _run_of(scene: Path) -> dict[str, Any]:
    """The run.json beside a scene in a run's folder; empty where there is none."""
    from distill3d.runs import read_json

    path = scene / "run.json"
    return read_json(path) if path.is_file() else {}
