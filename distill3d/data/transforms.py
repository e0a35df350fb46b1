"""transforms.json: Blender's NeRF-Synthetic (Mildenhall et al. 2020), instant-ngp and nerfstudio.

`transform_matrix` takes the camera to the world in OpenGL's camera (y up, z backward). Intrinsics stand at
the top or in a frame, in pixels, or as `camera_angle_x` in radians. Paths may lack their suffix. Where
nerfstudio says what it has done to the world, `applied_transform`, the world before that is meant: it is that
of COLMAP's points, and of nerfstudio's own dataparser_transforms.json.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d.data.colmap_model import MODELS
from distill3d.data.dataset import (
    MAX_FRAMES,
    Dataset,
    Frame,
    Points,
    every_eighth,
    resized,
    rigid,
    same_shape,
)
from distill3d.data.found import Pictures
from distill3d.data.lens import Lens
from distill3d.data.photographs import size_of
from distill3d.data.placing import depths_of, upright_and_centred
from distill3d.data.points import read_ply
from distill3d.errors import UserError
from distill3d.rotation import scale_and_rotation

CAMERAS = ("", "PERSPECTIVE", "FISHEYE", *MODELS)
"""Values of `camera_model` that mean a lens that is known here."""
BLENDER_REACH = 1.5  # the cube that holds the subject of every NeRF-Synthetic scene


def found_in(folder: Path) -> bool:
    return (folder / "transforms.json").is_file() or (folder / "transforms_train.json").is_file()


def read(folder: Path) -> Dataset:
    """The dataset: Blender's files come split; one file names its test frames, or every eighth tests."""
    if (folder / "transforms_train.json").is_file():
        train = _frames(folder / "transforms_train.json")
        others = [folder / f"transforms_{split}.json" for split in ("test", "val")]
        test = next((_frames(path) for path in others if path.is_file()), [])
        transform = torch.diag(torch.tensor([1 / BLENDER_REACH] * 3 + [1.0], dtype=torch.float64))
        return Dataset("blender", train, test, transform)
    path = folder / "transforms.json"
    frames = _frames(path)
    if not frames:
        raise UserError(f"{path} has no frames; expected pictures with their cameras")
    train, test = _named_split(path, frames) or every_eighth(frames)
    points = _points(path)
    placed = upright_and_centred(frames, None if points is None else depths_of(frames, points.positions))
    return Dataset("nerfstudio", train, test, placed, points)


def _points(path: Path) -> Points | None:
    """Those of nerfstudio's `ply_file_path`, which stand in the world of `transform_matrix`."""
    content = _json(path)
    name = content.get("ply_file_path")
    if name is None:
        return None
    if not isinstance(name, str):
        raise UserError(f"{path}: ply_file_path is {name!r}; expected the path of a PLY")
    points = read_ply(path.parent / name.replace("\\", "/"))
    world = unapplied(str(path), content).float()
    return Points(points.positions @ world[:3, :3].T + world[:3, 3], points.colours)


def _named_split(path: Path, frames: Sequence[Frame]) -> tuple[list[Frame], list[Frame]] | None:
    """The frames to learn from and to be judged by that the file names, as nerfstudio's do; None if none."""
    content = _json(path)
    named = {split: _named(path, content, f"{split}_filenames", frames) for split in ("train", "test", "val")}
    test = named["test"] or named["val"]
    if not test and not named["train"]:
        return None
    return named["train"] or [frame for frame in frames if frame not in test], test


def _named(path: Path, content: dict[str, Any], key: str, frames: Sequence[Frame]) -> list[Frame]:
    names, known = content.get(key, []), {frame.picture: frame for frame in frames}
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: {key} is no list of names; expected the file_path of some frames")
    shelf = Pictures(path.parent)
    pictures = [shelf.find(name) for name in names]
    for name, picture in zip(names, pictures, strict=True):
        if picture not in known:
            raise UserError(f"{path}: {key} names {name}, which no frame is called; expected a file_path")
    return [known[picture] for picture in pictures if picture is not None]


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}); expected cameras as NeRF writes them") from error
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise UserError(f'{path} has no list "frames" of objects; expected cameras as NeRF writes them')
    if len(content["frames"]) > MAX_FRAMES:
        raise UserError(f"{path} has {len(content['frames'])} frames; at most {MAX_FRAMES} are read")
    return content


def _frames(path: Path) -> list[Frame]:
    content = _json(path)
    shared = {key: value for key, value in content.items() if key != "frames"}
    shelf = Pictures(path.parent)
    return [_frame(path, shelf, index, {**shared, **view}) for index, view in enumerate(content["frames"])]


def _frame(path: Path, shelf: Pictures, index: int, view: dict[str, Any]) -> Frame:
    name = view.get("file_path")
    where = f"{path}, frame {index}"
    if not isinstance(name, str):
        raise UserError(f'{where} has no "file_path"; expected the path of its picture')
    where = f"{where} ({name})"
    picture = shelf.find(name)
    if picture is None:
        raise UserError(
            f"{where}: its picture is not there; expected {path.parent / name} or with .png or .jpg"
        )
    width, height = size_of(picture)
    given = _number(where, view, "w", float(width)), _number(where, view, "h", float(height))
    width, height = size_of(picture, given)
    if not same_shape((width, height), given):
        raise UserError(
            f"{where}: w and h are {given[0]:g} and {given[1]:g}, and its picture is {width} x {height}; "
            "expected its size, or a multiple"
        )
    return resized(
        Frame(
            where,
            picture,
            _pose(where, view.get("transform_matrix"), unapplied(where, view)),
            _intrinsics(where, view, *given),
            round(given[0]),
            round(given[1]),
            _lens(where, view),
            _mask(shelf, where, view.get("mask_path")),
        ),
        width,
        height,
    )


def _mask(shelf: Pictures, where: str, name: object) -> Path | None:
    if name is not None and not isinstance(name, str):
        raise UserError(f"{where}: mask_path is {name!r}; expected the path of a picture")
    return (shelf.find(name) or shelf.root / name) if name else None


def unapplied(where: str, content: dict[str, Any]) -> Float64[Tensor, "4 4"]:
    """What undoes `applied_transform` and `applied_scale`: a similarity, the identity without them."""
    scale = _number(where, content, "applied_scale", 1.0)
    applied = torch.eye(4, dtype=torch.float64)
    try:
        rows = content.get("applied_transform", applied.tolist())[:3]
        applied[:3] = scale * torch.tensor(rows, dtype=torch.float64)
        scale_and_rotation(applied)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{where}: applied_transform is no similarity; expected 3 rows of 4 numbers"
        ) from error
    return torch.linalg.inv(applied)


def _pose(where: str, matrix: object, world: Float64[Tensor, "4 4"]) -> Tensor:
    try:
        pose = torch.tensor(matrix, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{where}: transform_matrix is not numbers; expected 4 rows of 4") from error
    if pose.shape not in ((4, 4), (3, 4)) or not torch.isfinite(pose).all():
        raise UserError(f"{where}: transform_matrix is not 4 rows of 4 finite numbers")
    full = torch.eye(4, dtype=torch.float64)
    full[: len(pose)] = pose
    return rigid(world, full @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)))


def _intrinsics(
    where: str, view: dict[str, Any], width: float, height: float
) -> tuple[float, float, float, float]:
    fx = _focal(where, view, "x", width)
    if fx is None:
        raise UserError(f"{where} has neither fl_x nor camera_angle_x; expected a focal length")
    fy = _focal(where, view, "y", height) or fx
    return fx, fy, _number(where, view, "cx", width / 2), _number(where, view, "cy", height / 2)


def _focal(where: str, view: dict[str, Any], axis: str, side: float) -> float | None:
    """The focal length in pixels along an axis, or that of an angle of view; None where neither is given."""
    if f"fl_{axis}" in view:
        focal = _number(where, view, f"fl_{axis}", 0.0)
        if focal <= 0:
            raise UserError(f"{where}: fl_{axis} is {focal:g}; expected more than 0 pixels")
        return focal
    if f"camera_angle_{axis}" not in view:
        return None
    angle = _number(where, view, f"camera_angle_{axis}", 0.0)
    if not 0 < angle < math.pi:
        raise UserError(
            f"{where}: camera_angle_{axis} is {angle:g}; expected radians between 0 and {math.pi:.2f}"
        )
    return 0.5 * side / math.tan(0.5 * angle)


def _lens(where: str, view: dict[str, Any]) -> Lens:
    model = str(view.get("camera_model", "")).upper()
    if model not in CAMERAS:
        raise UserError(f"{where}: camera_model is {model}; expected {', '.join(filter(None, CAMERAS))}")
    fisheye = bool(view.get("is_fisheye")) or "FISHEYE" in model
    k1, k2, k3, k4, p1, p2 = _numbers(where, view, ("k1", "k2", "k3", "k4", "p1", "p2"))
    if k4 and not fisheye:
        raise UserError(f"{where}: k4 is {k4:g}; expected 0 for a lens that is no fisheye")
    return Lens((k1, k2, k3, k4) if fisheye else (k1, k2, k3), (p1, p2), fisheye)


def _numbers(where: str, view: dict[str, Any], keys: Sequence[str]) -> list[float]:
    return [_number(where, view, key, 0.0) for key in keys]


def _number(where: str, view: dict[str, Any], key: str, default: float) -> float:
    value = view.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{where}: {key} is {value!r}; expected a finite number")
    return float(value)
