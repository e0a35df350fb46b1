"""COLMAP's folders (Schönberger and Frahm 2016): pictures, and a sparse model of them.

COLMAP makes several models where it cannot bring all pictures together, and the one with the most images is
taken. Every eighth image, in the order of names, tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from distill3d.data import colmap_model
from distill3d.data.colmap_model import Image, Model
from distill3d.data.dataset import Dataset, Frame, every_eighth, resized, same_shape
from distill3d.data.found import Pictures
from distill3d.data.photographs import size_of
from distill3d.data.placing import depths_of, upright_and_centred
from distill3d.errors import UserError
from distill3d.rotation import matrix_from_wxyz

MODELS = ("sparse", "colmap/sparse", "dense/sparse", ".")
"""Where models are, each in a folder of its own, which COLMAP numbers, or one by itself."""
PICTURES = ("images", "images_2", "images_4", "images_8", "input", "dense/images", ".")
MASKS = ("masks", "mask")
"""Black where a picture is not to be believed; called as the picture, or as COLMAP does, with .png behind."""
OTHERS = ("mask", "depth", "normal")
"""What folders are called whose pictures are no photographs, though they have the names of some."""


def found_in(folder: Path) -> bool:
    return bool(_models(folder))


def _models(folder: Path) -> list[Path]:
    """The folders of all models in the first place that has some."""
    for name in MODELS:
        place = folder / name
        inside = [p for p in place.iterdir() if p.is_dir()] if name != "." and place.is_dir() else []
        models = [path for path in (place, *sorted(inside)) if colmap_model.kind_of(path)]
        if models:
            return models
    return []


def read(folder: Path) -> Dataset:
    """The dataset of the largest model."""
    models = [colmap_model.read(path) for path in _models(folder)]
    model = max(models, key=lambda model: len(model.images))
    shelf = Pictures(folder)
    frames = [_frame(shelf, model, image) for image in model.images]
    if not frames:
        raise UserError(f"the model in {model.folder} names no image; expected at least one")
    train, test = every_eighth(frames)
    points = colmap_model.read_points(model.folder)
    placed = upright_and_centred(frames, None if points is None else depths_of(frames, points.positions))
    left_out = (*_other_models(models, model), *_not_registered(shelf, frames))
    return Dataset("colmap", train, test, placed, points, left_out)


def _other_models(models: Sequence[Model], taken: Model) -> list[str]:
    others = [f"{model.folder.name} of {len(model.images)}" for model in models if model is not taken]
    if not others:
        return []
    return [
        f"the model {taken.folder.name} of {len(taken.images)} images is taken, and not {' or '.join(others)}"
    ]


def _not_registered(shelf: Pictures, frames: Sequence[Frame]) -> list[str]:
    """A sentence if there are pictures beside the frames' that COLMAP has found no place for."""
    used = {frame.picture for frame in frames}
    beside = {path for folder in {path.parent for path in used} for path in shelf.listed(folder).values()}
    count = len(beside - used)
    if not count:
        return []
    return [f"{count} of {len(beside | used)} pictures are not in the model, which has no cameras for them"]


def _frame(shelf: Pictures, model: Model, image: Image) -> Frame:
    where = f"{model.folder}, image {image.name}"
    if image.camera not in model.cameras:
        raise UserError(
            f"{where}: its camera {image.camera} is not in the model; it has {sorted(model.cameras)[:8]}"
        )
    camera = model.cameras[image.camera]
    wxyz = torch.tensor(image.wxyz, dtype=torch.float64)
    length = wxyz.norm()
    if not 0.5 < length < 2 or not np.isfinite(image.translation).all():
        raise UserError(f"{where}: its pose is not a rotation and a translation; expected finite numbers")
    world_to_camera = torch.eye(4, dtype=torch.float64)
    world_to_camera[:3, :3] = matrix_from_wxyz(wxyz / length)
    world_to_camera[:3, 3] = torch.tensor(image.translation, dtype=torch.float64)
    picture = _picture(shelf, image.name)
    if picture is None:
        raise UserError(
            f"{where}: its picture is not there; expected {shelf.root / 'images' / image.name}, and a folder "
            "that holds images and sparse"
        )
    size = float(camera.width), float(camera.height)
    width, height = size_of(picture, size)
    if not same_shape((width, height), size):
        raise UserError(
            f"{where}: its camera is {camera.width} x {camera.height}, and its picture {width} x {height}; "
            "expected its size, or a multiple"
        )
    pose, mask = torch.linalg.inv(world_to_camera), _first(shelf, MASKS, [f"{image.name}.png", image.name])
    taken = Frame(
        where, picture, pose, camera.intrinsics, camera.width, camera.height, camera.lens, mask=mask
    )
    return resized(taken, width, height)


def _picture(shelf: Pictures, name: str) -> Path | None:
    """The photograph of that name, in a folder of the usual names, or in the only other one that has it."""
    usual = _first(shelf, PICTURES, [name])
    if usual is not None:
        return usual
    folders = sorted(path.name for path in shelf.root.iterdir() if path.is_dir())
    folders = [folder for folder in folders if not any(other in folder.lower() for other in OTHERS)]
    having = [folder for folder in folders if _first(shelf, [folder], [name])]
    if len(having) > 1:
        raise UserError(
            f"{name} is in {' and in '.join(str(shelf.root / folder) for folder in having)}; call the folder "
            "that is meant images"
        )
    return _first(shelf, having, [name])


def _first(shelf: Pictures, places: Sequence[str], names: Sequence[str]) -> Path | None:
    """The first place where there is a picture of one of the names; never outside the folder."""
    paths = (shelf.find(f"{place}/{name}") for place in places for name in names)
    root = shelf.root.resolve()
    return next((path for path in paths if path and path.resolve().is_relative_to(root)), None)
