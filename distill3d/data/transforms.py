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

from distill3d.data.dataset import (
    MAX_FRAMES,
    MAX_SIDE_PX,
    Dataset,
    Frame,
    every_eighth,
    rigid,
    upright_and_centred,
)
from distill3d.data.lens import Lens
from distill3d.data.photographs import size_of
from distill3d.errors import UserError
from distill3d.rotation import scale_and_rotation

SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".JPG", ".PNG")
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
    frames, content = _frames(path), _json(path)
    if "test_filenames" in content:
        testing = {picture_of(folder, str(name)) for name in content["test_filenames"]}
        train = [f for f in frames if f.picture not in testing]
        test = [f for f in frames if f.picture in testing]
    else:
        train, test = every_eighth(frames)
    return Dataset("nerfstudio", train, test, upright_and_centred(frames))


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); expected cameras as NeRF writes them") from error
    if not isinstance(content, dict) or not isinstance(content.get("frames"), list):
        raise UserError(f'{path} has no list "frames"; expected cameras as NeRF writes them')
    if len(content["frames"]) > MAX_FRAMES:
        raise UserError(f"{path} has {len(content['frames'])} frames; at most {MAX_FRAMES} are read")
    return content


def _frames(path: Path) -> list[Frame]:
    content = _json(path)
    shared = {key: value for key, value in content.items() if key != "frames"}
    return [_frame(path, index, {**shared, **view}) for index, view in enumerate(content["frames"])]


def _frame(path: Path, index: int, view: dict[str, Any]) -> Frame:
    name = view.get("file_path")
    where = f"{path}, frame {index}"
    if not isinstance(name, str):
        raise UserError(f'{where} has no "file_path"; expected the path of its picture')
    where = f"{where} ({name})"
    picture = picture_of(path.parent, name)
    if picture is None:
        raise UserError(
            f"{where}: its picture is not there; expected {path.parent / name} or with .png or .jpg"
        )
    width, height = size_of(picture)
    given = (view.get("w", width), view.get("h", height))
    if not all(isinstance(side, int | float) and 0 < side <= MAX_SIDE_PX for side in given):
        raise UserError(f"{where}: w and h are {given}; expected the picture's size, {width} and {height}")
    scale = width / given[0]
    mask = view.get("mask_path")
    return Frame(
        where,
        picture,
        _pose(where, view.get("transform_matrix"), unapplied(where, view)),
        _intrinsics(where, view, float(given[0]), float(given[1]), scale),
        width,
        height,
        _lens(where, view),
        path.parent / mask if isinstance(mask, str) else None,
    )


def picture_of(folder: Path, name: str) -> Path | None:
    """The picture that a frame calls `name`, perhaps without its suffix; None where there is none."""
    candidates = (folder / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


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
    where: str, view: dict[str, Any], width: float, height: float, scale: float
) -> tuple[float, float, float, float]:
    if "fl_x" in view:
        fx = _number(where, view, "fl_x", 0.0)
    elif "camera_angle_x" in view:
        angle = _number(where, view, "camera_angle_x", 0.0)
        if not 0 < angle < math.pi:
            raise UserError(
                f"{where}: camera_angle_x is {angle:g}; expected radians between 0 and {math.pi:.2f}"
            )
        fx = 0.5 * width / math.tan(0.5 * angle)
    else:
        raise UserError(f"{where} has neither fl_x nor camera_angle_x; expected a focal length")
    fy = _number(where, view, "fl_y", fx)
    cx, cy = _number(where, view, "cx", width / 2), _number(where, view, "cy", height / 2)
    if not (fx > 0 and fy > 0):
        raise UserError(f"{where}: the focal lengths are {fx:g} and {fy:g}; expected more than 0 pixels")
    return fx * scale, fy * scale, cx * scale, cy * scale


def _lens(where: str, view: dict[str, Any]) -> Lens:
    fisheye = bool(view.get("is_fisheye")) or "FISHEYE" in str(view.get("camera_model", "")).upper()
    k = _numbers(where, view, ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "k3"))
    p1, p2 = _numbers(where, view, ("p1", "p2"))
    return Lens(tuple(k), (p1, p2), fisheye)


def _numbers(where: str, view: dict[str, Any], keys: Sequence[str]) -> list[float]:
    return [_number(where, view, key, 0.0) for key in keys]


def _number(where: str, view: dict[str, Any], key: str, default: float) -> float:
    value = view.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{where}: {key} is {value!r}; expected a finite number")
    return float(value)
