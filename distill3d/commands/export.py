"""A scene as a file for other programs: Gaussians in their formats, any scene as a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from distill3d.commands import _flags
from distill3d.errors import UserError, given_by_user

if TYPE_CHECKING:
    from distill3d.scene import Scene

Frame = Literal["z-up", "y-up", "y-down"]


@dataclass(frozen=True)
class Options:
    """A scene as a file that other programs open; the suffix of --out says which. Nothing else is changed.

    .ply is the 3DGS layout for Gaussians and surfels, and a mesh for other scenes; .compressed.ply, .spz,
    .sog and .splat are smaller forms of Gaussians, .pt is gsplat's checkpoint and .ckpt splatfacto's. .glb
    and .obj are meshes with their texture or with vertex colours, turned to +y up as their readers expect;
    .stl and .off are shapes alone. .safetensors is our own format, for every kind of scene.
    """

    scene: _flags.SceneWord
    """A run's folder, or a file of Gaussians, of a mesh, of points or of a field."""
    out: Path
    """The file to write; one that exists is replaced."""
    mesh: bool = False
    """Make a mesh even where .ply would hold Gaussians."""
    resolution: int = 96
    """Voxels along each side of the volume that a mesh is taken from."""
    frame: Frame = "z-up"
    """Which way is up in a file of Gaussians or surfels. Ours is z-up; most programs for splats expect
    y-down, as 3D Gaussian Splatting writes it. Colours that depend on the view turn too."""
    scene_frame: Frame = "z-up"
    """Which way is up in SCENE, where another program has written it."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = _flags.parse(Options, argv, "export")
    _flags.at_least(8, "resolution", options.resolution)

    from distill3d import files

    suffix = files.suffix_of(options.out)
    if not suffix:
        known = ", ".join(files.SUFFIXES)
        raise UserError(f'cannot export to "{options.out.name}"; expected a name ending in {known}')
    scene = files.load(options.scene)
    kind = files.kind_of(scene)
    fits = suffix == files.OURS or suffix in files.FORMATS.get(kind, ())
    if not fits and suffix not in files.MESHES:
        raise UserError(
            f"{options.scene} is a scene of {kind} and {suffix} holds Gaussians only, which export does not "
            f"make; use {' or '.join((*files.FORMATS.get(kind, ()), files.OURS))}"
        )
    if options.frame != options.scene_frame:
        scene = _reframed(scene, options)
    if fits and not (options.mesh and kind != "mesh"):
        files.save(scene, options.out)
        print(f"{options.out}  ({options.out.stat().st_size / 1e6:.1f} MB)")
        return 0

    from distill3d.conversions.scene_to_mesh import scene_to_mesh

    with given_by_user():
        mesh = scene_to_mesh(scene, resolution=options.resolution)
    files.save_mesh(mesh, options.out)
    size_mb = options.out.stat().st_size / 1e6
    print(f"{options.out}  ({len(mesh.faces)} triangles, {size_mb:.1f} MB)")
    return 0


def _reframed(scene: Scene, options: Options) -> Scene:
    from distill3d.conversions.moved import reframed
    from distill3d.representations._primitives import Primitives

    if not isinstance(scene, Primitives):
        raise UserError(
            f"{options.scene} holds neither Gaussians nor surfels, and --frame turns no others; leave it away"
        )
    return reframed(scene, options.scene_frame, options.frame)
