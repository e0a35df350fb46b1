"""Numbers for a scene: against the closed world's truth, or against another scene."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distill3d.commands import _flags
from distill3d.errors import UserError, given_by_user
from distill3d.recipe import SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from distill3d.scene import Scene


@dataclass(frozen=True)
class Options:
    """Numbers for a scene, as JSON on standard output.

    With a prompt of the closed world: PSNR, IoU, faces and more against the instance that fits best. With
    --against: PSNR in dB of its pictures against another scene's, from the same cameras and over white.
    """

    scene: _flags.SceneWord
    """A run's folder (which knows its prompt), a .ply with Gaussians, or a .safetensors."""
    prompt: str = ""
    """What the scene should show; by default the run's own prompt."""
    against: _flags.File = None
    """Another scene to compare with instead."""
    instances: int = 8
    """How many variations of the object to look for the best fit among; a run's folder knows its own."""
    size: int = 128
    """Side of the pictures of two scenes in pixels."""
    out: _flags.File = None
    """Also write the numbers to this file."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = _flags.parse(Options, argv, "eval")
    for name in ("instances", "size"):
        _flags.at_least(1, name, getattr(options, name))

    from distill3d import atomic, files

    scene = files.load(options.scene)
    numbers = (
        _against_world(scene, options)
        if options.against is None
        else _against_scene(scene, options.against, options)
    )
    text = json.dumps(numbers, indent=2)
    print(text)
    if options.out is not None:
        atomic.write(options.out, (text + "\n").encode())
    return 0


def _against_world(scene: Scene, options: Options) -> dict[str, Any]:
    """`world.metrics.measure`; the variations and the pictures' size are those of the run."""
    from distill3d.runs import read_json
    from distill3d.world.grammar import describe
    from distill3d.world.metrics import measure
    from distill3d.world.model import instances

    prompt, count, size = options.prompt, options.instances, SIZE
    run = options.scene / "run.json"
    if run.is_file():
        stored = read_json(run).get("options", {})
        prompt = prompt or stored.get("prompt", "")
        count = stored.get("prior_options", {}).get("instances", count)
        size = stored.get("size", size)
    if not prompt:
        raise UserError(
            f'{options.scene} has no prompt; give one with --prompt "a red robot", or use --against'
        )
    with given_by_user():
        description = describe(prompt)
    report = measure(_renderer(scene), description, candidates=instances(description, count), size=size)
    return {"prompt": prompt, **dataclasses.asdict(report)}


def _renderer(scene: Scene) -> Any:
    from distill3d.pictures import shoot

    return lambda cameras: shoot(scene, cameras, ("rgb", "alpha", "depth"))


def _against_scene(scene: Scene, against: Path, options: Options) -> dict[str, Any]:
    """PSNR of the mean squared error of all held-out pictures over white."""
    from distill3d import files
    from distill3d.pictures import shoot
    from distill3d.world.metrics import held_out, psnr

    cameras, white = held_out(options.size), (1.0, 1.0, 1.0)
    ours, theirs = (shoot(s, cameras).over(white) for s in (scene, files.load(against)))
    return {
        "against": str(against),
        "psnr": psnr(ours, theirs),
        "pictures": len(cameras),
        "size": options.size,
    }
