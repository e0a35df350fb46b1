"""What export writes: a scene as it is or as a mesh, moved into the world that the file is meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d import files
from distill3d.conversions.mesh_to_mesh import mesh_to_mesh
from distill3d.conversions.moved import moved, turn
from distill3d.conversions.scene_to_mesh import scene_to_mesh
from distill3d.conversions.scene_to_textured_mesh import scene_to_textured_mesh
from distill3d.errors import UserError, given_by_user
from distill3d.formats import lost
from distill3d.formats.mesh import TURNED, Trimesh
from distill3d.representations._primitives import Primitives
from distill3d.representations.mesh import Mesh
from distill3d.rotation import scale_and_rotation
from distill3d.scene import Scene
from distill3d.viewer import export_html

if TYPE_CHECKING:
    from distill3d.commands.export import Options

TEXTURED = ("glb", "obj")
"""Formats of meshes that hold a picture."""


def write(scene: Scene, options: Options, suffix: str) -> str:
    """Write the file; returns what there is to say of its content."""
    if suffix == export_html.SUFFIX:
        return _write_page(scene, options)
    kind = files.kind_of(scene)
    fits = suffix == files.OURS or suffix in files.FORMATS.get(kind, ())
    if not fits and suffix not in files.MESHES:
        known = " or ".join((*files.FORMATS.get(kind, files.MESHES), files.OURS))
        raise UserError(
            f"{options.scene} is a scene of {kind} and {suffix} holds Gaussians only; make some with "
            f"distill3d convert {options.scene} --to gaussians, or use {known}"
        )
    if options.scene_frame != "z-up":
        scene = moved(_movable(scene, options), turn(options.scene_frame, "z-up"))
    as_mesh = suffix != files.OURS if isinstance(scene, Mesh) else options.mesh or not fits
    if options.texture and not (as_mesh and suffix.lstrip(".") in TEXTURED):
        raise UserError(
            f"--texture is {options.texture}, and this {suffix} would hold none; use .glb or .obj"
        )
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
        mesh = _shape(scene, options)
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


def _write_page(scene: Scene, options: Options) -> str:
    if options.frame != "z-up":
        raise UserError(f"--frame is {options.frame}, and a page shows our own world; leave it away")
    if options.scene_frame != "z-up":
        scene = moved(_movable(scene, options), turn(options.scene_frame, "z-up"))
    drawn = isinstance(scene, Mesh) or (isinstance(scene, Primitives) and not options.mesh)
    if not drawn:
        with given_by_user():
            scene = Mesh.from_trimesh(_shape(scene, options))
    export_html.write(scene, options.out, options.scene.name)
    return "a page that needs no network, "


def _shape(scene: Scene, options: Options) -> Trimesh:
    """The scene as a mesh: its own if it is one, else the surface that it shows."""
    if isinstance(scene, Mesh):
        if not options.texture:
            return scene.as_trimesh()
        mesh = mesh_to_mesh(scene, triangles=options.triangles, texture_px=options.texture)
        return mesh.as_trimesh()
    if not options.texture:
        return scene_to_mesh(scene, resolution=options.resolution)
    return scene_to_textured_mesh(
        scene, triangles=options.triangles, texture_px=options.texture, resolution=options.resolution
    ).as_trimesh()


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
