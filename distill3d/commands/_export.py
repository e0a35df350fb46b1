"""What export writes: a scene as it is or as a mesh, moved into the world that the file is meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d import files
from distill3d.conversions.moved import moved, turn
from distill3d.conversions.scene_to_mesh import scene_to_mesh
from distill3d.errors import UserError, given_by_user
from distill3d.formats import lost
from distill3d.formats.mesh import TURNED
from distill3d.representations._primitives import Primitives
from distill3d.representations.mesh import Mesh
from distill3d.rotation import scale_and_rotation
from distill3d.scene import Scene

if TYPE_CHECKING:
    from distill3d.commands.export import Options


def write(scene: Scene, options: Options, suffix: str) -> str:
    """Write the file; returns what there is to say of its content."""
    kind = files.kind_of(scene)
    fits = suffix == files.OURS or suffix in files.FORMATS.get(kind, ())
    if not fits and suffix not in files.MESHES:
        raise UserError(
            f"{options.scene} is a scene of {kind} and {suffix} holds Gaussians only, which export does not "
            f"make; use {' or '.join((*files.FORMATS.get(kind, ()), files.OURS))}"
        )
    if options.scene_frame != "z-up":
        scene = moved(_movable(scene, options), turn(options.scene_frame, "z-up"))
    as_mesh = suffix != files.OURS if isinstance(scene, Mesh) else options.mesh or not fits
    return _write_mesh(scene, options, suffix) if as_mesh else _write_scene(scene, options, suffix)


def _write_scene(scene: Scene, options: Options, suffix: str) -> str:
    _check_turned(suffix in files.Y_UP, options, suffix)
    if options.frame != "z-up":
        scene = moved(_movable(scene, options), _to_frame(scene, options))
    if options.frame == "source":
        scene.scene_transform.copy_(torch.eye(4))  # which it is already, but for rounding
    files.save(scene, options.out)
    return ""


def _write_mesh(scene: Scene, options: Options, suffix: str) -> str:
    _check_turned(suffix.lstrip(".") in TURNED, options, suffix)
    to_frame = None if options.frame == "z-up" else _to_frame(scene, options)
    with given_by_user():
        whole = isinstance(scene, Mesh)
        mesh = scene.as_trimesh() if whole else scene_to_mesh(scene, resolution=options.resolution)
    if to_frame is not None:
        mesh.apply_transform(to_frame.numpy())
    without = [
        thing for thing in lost.of_scene_as_mesh(scene) if options.frame != "source" or thing != lost.SOURCE
    ]
    files.save_mesh(mesh, options.out, without=without)
    return f"{len(mesh.faces)} triangles, "


def _check_turned(turned: bool, options: Options, suffix: str) -> None:
    if turned and options.frame not in ("z-up", "source"):
        raise UserError(f"--frame is {options.frame}, and {suffix} is turned to +y up anyway; leave it away")


def _movable(scene: Scene, options: Options) -> Primitives:
    if not isinstance(scene, Primitives):
        raise UserError(
            f"{options.scene} holds neither Gaussians nor surfels, and others stay in our world; leave the "
            "frame away, or export a mesh"
        )
    return scene


def _to_frame(scene: Scene, options: Options) -> Float64[Tensor, "4 4"]:
    """What moves the scene from our world to that of the file."""
    if options.frame != "source":
        return turn("z-up", options.frame)
    if not scene.knows_source:
        raise UserError(
            f"{options.scene} knows of no world but its own, so --frame source leads nowhere; expected a "
            "scene that was fitted to a dataset, in its run's folder, a .ply or a .safetensors"
        )
    with given_by_user():
        scale_and_rotation(scene.scene_transform)
    return torch.linalg.inv(scene.scene_transform)
