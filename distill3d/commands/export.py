"""A scene as a file for other programs: Gaussians in their formats, any scene as a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill3d.commands import _flags
from distill3d.errors import UserError, given_by_user

GAUSSIANS = (".compressed.ply", ".ply", ".spz", ".sog", ".splat")
SUFFIXES = (*GAUSSIANS, ".glb", ".obj", ".stl", ".off", ".safetensors")


@dataclass(frozen=True)
class Options:
    """A scene as a file that other programs open; the suffix of --out says which.

    .ply is the 3DGS layout for Gaussians and a mesh for other scenes; .compressed.ply, .spz, .sog and .splat
    are smaller forms of Gaussians. .glb and .obj are meshes with their texture or with vertex colours, turned
    to +y up as their readers expect; .stl and .off are shapes alone. .safetensors is our own format.
    """

    scene: _flags.SceneWord
    """A run's folder, or a file of Gaussians, of a mesh, of points or of a field."""
    out: Path
    """The file to write; one that exists is replaced."""
    mesh: bool = False
    """Make a mesh even where .ply would hold Gaussians."""
    resolution: int = 96
    """Voxels along each side of the volume that a mesh is taken from."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = _flags.parse(Options, argv, "export")
    _flags.at_least(8, "resolution", options.resolution)
    suffix = next((s for s in SUFFIXES if options.out.name.lower().endswith(s)), None)
    if suffix is None:
        raise UserError(
            f'cannot export to "{options.out.name}"; expected a name ending in {", ".join(SUFFIXES)}'
        )

    from distill3d import files

    scene = files.load(options.scene)
    is_gaussians = files.kind_of(scene) == "gaussians"
    if suffix in GAUSSIANS and suffix != ".ply" and not is_gaussians:
        raise UserError(
            f"{options.scene} is a scene of {files.kind_of(scene)}; {suffix} holds Gaussians only"
        )
    as_gaussians = suffix in GAUSSIANS and is_gaussians and not options.mesh
    if as_gaussians or suffix == ".safetensors" or files.kind_of(scene) == "mesh":
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
