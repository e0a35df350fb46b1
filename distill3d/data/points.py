"""Sparse points in a PLY beside a dataset: x, y and z, and colours where there are some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from distill3d import ply
from distill3d.data.dataset import Points
from distill3d.errors import UserError

POSITION, COLOUR = ("x", "y", "z"), ("red", "green", "blue")
GREY = 0.5


def read_ply(path: Path) -> Points:
    """The points of a file, in its world; those that are nowhere are left out. Raises UserError."""
    if not path.is_file():
        raise UserError(f"the points {path} are not there; put them there, or take ply_file_path out")
    try:
        rows = ply.read_element(path.read_bytes(), "vertex")
        names = rows.dtype.names or ()
        missing = [name for name in POSITION if name not in names]
        if missing:
            raise UserError(f"its vertices lack {', '.join(missing)}; expected points")
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    positions = np.stack([rows[name].astype(np.float64) for name in POSITION], 1)
    colours = np.full_like(positions, GREY)
    if set(COLOUR) <= set(names):
        colours = np.stack([_share(rows[name]) for name in COLOUR], 1)
    found = np.isfinite(positions).all(1)
    return Points(*(torch.from_numpy(table[found].astype(np.float32)) for table in (positions, colours)))


def _share(values: np.ndarray) -> np.ndarray:
    """Of white: whole numbers as shares of the largest there is."""
    white = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else 1
    return (values.astype(np.float64) / white).clip(0, 1)
