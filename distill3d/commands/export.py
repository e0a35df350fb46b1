"""A scene as a file for other programs: Gaussians in their formats, any scene as a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from distill3d.commands import _flags
from distill3d.errors import UserError

PAGE = ".html"
Up = Literal["z-up", "y-up", "y-down"]
Frame = Literal["z-up", "y-up", "y-down", "source"]


@dataclass(frozen=True)
class Options:
    """A scene as a file that other programs open; the suffix of --out says which. Nothing else is changed.

    .ply is the 3DGS layout for Gaussians and surfels, and a mesh for other scenes; .compressed.ply, .spz,
    .sog and .splat are smaller forms of Gaussians, .pt is gsplat's checkpoint and .ckpt splatfacto's, and
    .gaussians.glb is glTF with KHR_gaussian_splatting. .glb and .obj are meshes with their texture or with
    vertex colours, turned to +y up as their readers expect; .stl and .off are shapes alone. .safetensors is
    our own format, for every kind of scene. .html is a page with the viewer and the scene in it, which opens
    from a disk and needs no network.
    """

    scene: _flags.SceneWord
    """A run's folder, or a file of Gaussians, of a mesh, of points or of a field."""
    out: Path
    """The file to write; one that exists is replaced."""
    mesh: bool = False
    """Make a mesh even where .ply would hold Gaussians."""
    resolution: int = 96
    """Voxels along each side of the volume that a mesh is taken from."""
    texture: int = 0
    """Give a .glb or .obj few triangles and a texture of so many pixels a side, such as 1024, as editors and
    games want them. It comes from any scene, and Gaussians of other programs may lie anywhere. With 0 a mesh
    keeps the texture it has, and others have colours at each of their many vertices."""
    triangles: int = 20_000
    """How many triangles a mesh with --texture has at most, or a few more."""
    frame: Frame = "z-up"
    """How the scene stands in the file. Ours is z-up; most programs for splats expect y-down, as 3D Gaussian
    Splatting writes it; source is the world of what the scene was made from, such as the dataset of a fit,
    with its own axes and units, to which .ply with Gaussians and .safetensors keep the way. Colours that
    depend on the view turn too."""
    scene_frame: Up = "z-up"
    """Which way is up in SCENE, a file of Gaussians or surfels that another program has written."""
    source_scale: float = 0.0
    """What the trainer of a field has multiplied its photographs' positions by, where its file does not say:
    torch-ngp's --scale, and PVD's. 0: as in the file, else 0.33 and 0.8, as they do by default."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    options = _flags.parse(Options, argv, "export")
    _flags.at_least(8, "resolution", options.resolution)

    from distill3d import files

    page = options.out.suffix.lower() == PAGE
    suffix = PAGE if page else files.suffix_of(options.out)
    if not suffix:
        known = ", ".join((*files.SUFFIXES, PAGE))
        raise UserError(f'cannot export to "{options.out.name}"; expected a name ending in {known}')

    from distill3d.commands import _export
    from distill3d.commands._source_scale import load_scaled

    content = _export.write(load_scaled(options.scene, options.source_scale), options, suffix)
    print(f"{options.out}  ({content}{options.out.stat().st_size / 1e6:.1f} MB)")
    return 0
