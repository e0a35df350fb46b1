"""Pictures of a scene: a turntable, from the cameras of a transforms.json, or along a path."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from distill3d.commands import _device, _flags
from distill3d.errors import UserError

if TYPE_CHECKING:
    from distill3d.camera import Cameras
    from distill3d.rendering import Rendering
    from distill3d.scene import Scene

COLOURS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0)}


@dataclass(frozen=True)
class Options:
    """Pictures of a scene, as numbered PNG files.

    Without --cameras and --path, the cameras go once around the scene and start at its front; they are then
    kept in transforms.json, and pictures in colour are also put together as turntable.gif.
    """

    scene: _flags.SceneWord
    """A run's folder, a .ply with Gaussians, or a .safetensors."""
    out: Path
    """Folder for the pictures; made if it is not there."""
    overwrite: bool = False
    """Write into a folder that is not empty; pictures of the same name are replaced."""
    turntable: int = 24
    """How many pictures go once around the scene."""
    cameras: _flags.File = None
    """A transforms.json (Blender, NeRF, nerfstudio): its cameras, in its order and at its own size. They
    stand in the world of what the scene was made from, such as the dataset of a fit, where it knows one."""
    path: _flags.File = None
    """A camera path that the viewer has saved: its frames, at its own size."""
    size: int = 256
    """Side of a turntable's pictures in pixels."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to draw: on the processor, or on a GPU."""
    background: Literal["white", "black", "transparent"] = "white"
    """What stands behind the scene in rgb pictures."""
    want: Literal["rgb", "depth", "normal", "alpha"] = "rgb"
    """Colour; depth along the camera's z in thousandths of a world unit as 16-bit grey (0: nothing is there);
    normals in the world, as colours (n + 1) / 2; or opacity as 8-bit grey."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = _flags.parse(Options, argv, "render")
    _flags.at_least(1, "turntable", options.turntable)
    _flags.at_least(1, "size", options.size)

    if options.cameras is not None and options.path is not None:
        raise UserError("--cameras and --path both say where to look from; give one of them")

    from distill3d import files, pictures

    scene = files.load(options.scene).to(_device.device(options.device))
    cameras = _cameras(options, scene)
    _make_folder(options.out, overwrite=options.overwrite)
    rendering = pictures.shoot(scene, cameras, {"rgb", "alpha", options.want})
    if options.want == "normal":
        rendering = _as_colours(rendering)
    for i in range(len(cameras)):
        _write(options.out / f"{i:04d}.png", rendering[i], options)
    if options.cameras is None and options.path is None:
        _write_extras(options, scene, cameras, rendering)
    print(f"{len(cameras)} pictures of {cameras.width} x {cameras.height} in {options.out}")
    return 0


def _cameras(options: Options, scene: Scene) -> Cameras:
    from distill3d import files
    from distill3d.camera import turntable
    from distill3d.viewer import path

    if options.cameras is not None:
        return files.load_cameras(options.cameras, scene)
    if options.path is not None:
        return path.load(options.path).cameras()
    return turntable(options.turntable, width=options.size, height=options.size)


def _make_folder(folder: Path, *, overwrite: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not overwrite and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; give another folder with --out, or --overwrite")


def _as_colours(rendering: Rendering) -> Rendering:
    """Normals in the place of colours, so that they stand in front of a background like these."""
    assert rendering.normal is not None
    return dataclasses.replace(rendering, rgb=(rendering.normal + rendering.alpha) / 2)


def _write(path: Path, shot: Rendering, options: Options) -> None:
    import torch

    from distill3d import pictures

    if options.want == "depth":
        pictures.write_depth_png(path, shot.mean_depth())
    elif options.want == "alpha":
        pictures.write_png(path, shot.alpha)
    elif options.background == "transparent":
        straight = shot.rgb / shot.alpha.clamp_min(1e-6)
        pictures.write_png(path, torch.cat([straight, shot.alpha], -1))
    else:
        pictures.write_png(path, shot.over(COLOURS[options.background]))


def _write_extras(options: Options, scene: Scene, cameras: Cameras, rendering: Rendering) -> None:
    """The turntable as a GIF (of colours; it has no transparency), and its cameras."""
    from distill3d import files, pictures

    files.save_cameras(cameras, options.out / "transforms.json", scene)
    if options.want in ("rgb", "normal"):
        colour = COLOURS.get(options.background, COLOURS["white"])
        pictures.write_gif(options.out / "turntable.gif", rendering.over(colour))
