"""LLFF's poses_bounds.npy (Mildenhall et al. 2019): N rows of 17 numbers beside a folder of pictures.

A row is a 3 x 5 matrix, row by row, then the near and the far bound. Its columns are the camera's down, right
and back axes in the world, its position, and height, width and focal length in pixels. Every eighth frame is
for testing.
"""

from __future__ import annotations

import io
from pathlib import Path
from tokenize import TokenError

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d.data.dataset import FARTHEST, Dataset, Frame, every_eighth
from distill3d.data.photographs import size_of
from distill3d.data.placing import upright_and_centred
from distill3d.errors import UserError

PICTURES = (".png", ".jpg", ".jpeg")
PLACES = ("images", "images_2", "images_4", "images_8")
"""Folders of pictures, the largest first; smaller ones have the same names or others in the same order."""

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""By the version of the file."""


def found_in(folder: Path) -> bool:
    return (folder / "poses_bounds.npy").is_file()


def read(folder: Path) -> Dataset:
    path = folder / "poses_bounds.npy"
    rows = _rows(path)
    images = next((folder / name for name in PLACES if (folder / name).is_dir()), folder / PLACES[0])
    pictures = sorted(
        p for p in images.glob("*") if p.suffix.lower() in PICTURES and not p.name.startswith(".")
    )
    if len(pictures) != len(rows) or not pictures:
        raise UserError(
            f"{path} has {len(rows)} cameras and {images} {len(pictures)} pictures; expected as many, "
            "and one at least"
        )
    frames = [
        _frame(f"{path}, row {i} ({p.name})", row, p)
        for i, (row, p) in enumerate(zip(rows, pictures, strict=True))
    ]
    train, test = every_eighth(frames)
    return Dataset("llff", train, test, upright_and_centred(frames, _depths(path, rows)))


def _depths(path: Path, rows: np.ndarray) -> Float64[Tensor, " N"]:
    """The middle between near and far, as pictures show it: that of their inverses."""
    near, far = torch.from_numpy(rows[:, 15:].astype(np.float64)).unbind(1)
    wrong = ~((near > 1 / FARTHEST) & (far >= near) & (far < FARTHEST))
    if wrong.any():
        i = int(wrong.nonzero()[0])
        raise UserError(
            f"{path}, row {i}: its bounds are {near[i]:g} and {far[i]:g}; expected 0 < near <= far"
        )
    return 2 / (1 / near + 1 / far)


def _rows(path: Path) -> np.ndarray:
    """The array, of as many rows as its header says and its data are."""
    data = path.read_bytes()
    file = io.BytesIO(data)
    try:
        shape, by_column, dtype = HEADERS[np.lib.format.read_magic(file)](file)
    except (ValueError, KeyError, SyntaxError, TokenError) as error:
        raise UserError(f"{path} cannot be read ({error}); expected a NumPy array of N x 17") from error
    if len(shape) != 2 or shape[1] != 17 or dtype.kind != "f":
        raise UserError(f"{path} holds {dtype} {shape}; expected floats of N x 17")
    if shape[0] * 17 * dtype.itemsize != len(data) - file.tell():
        raise UserError(f"{path} says that it has {shape[0]} rows, in {len(data)} bytes; fetch it again")
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape, order="F" if by_column else "C")


def _frame(where: str, row: np.ndarray, picture: Path) -> Frame:
    matrix = torch.from_numpy(row[:15].astype(np.float64).reshape(3, 5))
    if not torch.isfinite(matrix).all() or float(matrix[:, 4].min()) <= 0:
        raise UserError(f"{where}: its camera is not finite, or has no size; expected a 3 x 5 matrix")
    down, right, back, position = matrix[:, 0], matrix[:, 1], matrix[:, 2], matrix[:, 3]
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3] = torch.stack([right, down, -back, position], 1)
    width, height = size_of(picture)
    focal = float(matrix[2, 4]) * width / float(matrix[1, 4])
    return Frame(where, picture, pose, (focal, focal, width / 2, height / 2), width, height)
