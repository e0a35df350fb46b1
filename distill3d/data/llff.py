"""LLFF's poses_bounds.npy (Mildenhall et al. 2019): N rows of 17 numbers beside a folder of pictures.

A row is a 3 x 5 matrix, row by row, then the near and the far bound. Its columns are the camera's down, right
and back axes in the world, its position, and height, width and focal length in pixels. Every eighth frame is
for testing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from distill3d.data.dataset import Dataset, Frame, every_eighth, upright_and_centred
from distill3d.data.photographs import size_of
from distill3d.errors import UserError

PICTURES = (".png", ".jpg", ".jpeg")


def found_in(folder: Path) -> bool:
    return (folder / "poses_bounds.npy").is_file()


def read(folder: Path) -> Dataset:
    path = folder / "poses_bounds.npy"
    try:
        rows = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path} cannot be read ({error}); expected a NumPy array of N x 17") from error
    if rows.ndim != 2 or rows.shape[1] != 17 or rows.dtype.kind != "f":
        raise UserError(f"{path} holds {rows.dtype} {rows.shape}; expected floats of N x 17")
    images = folder / "images"
    pictures = sorted(p for p in images.glob("*") if p.suffix.lower() in PICTURES)
    if len(pictures) != len(rows):
        raise UserError(
            f"{path} has {len(rows)} cameras and {images} {len(pictures)} pictures; expected as many"
        )
    frames = [
        _frame(f"{path}, row {i} ({p.name})", row, p)
        for i, (row, p) in enumerate(zip(rows, pictures, strict=True))
    ]
    train, test = every_eighth(frames)
    return Dataset("llff", train, test, upright_and_centred(frames))


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
