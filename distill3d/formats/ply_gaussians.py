"""PLY with Gaussians, in the layout of the 3D Gaussian Splatting code (Kerbl et al. 2023, arXiv 2308.04079).

One element `vertex` of float32 properties, little endian:
    x y z              centre
    nx ny nz           zeros, kept for old readers
    f_dc_0..2          degree-0 coefficients; the colour is 0.5 + 0.28209479 f_dc
    f_rest_0..         higher coefficients, all of red, then all of green, then all of blue
    opacity            a logit
    scale_0..2         logarithms; two for flat Gaussians (Huang et al. 2024, arXiv 2403.17888)
    rot_0..3           quaternion wxyz
Other properties, and normals that are not zero, are kept under the name `extra.` and theirs; vectors, such as
features, have no place in the layout.
Comments say more of the scene as a whole, see `_ply_notes`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats import _ply_notes
from distill3d.formats._runs import arrays, runs
from distill3d.ply import MAX_COUNT, TYPE_NAMES, read_element
from distill3d.representations._extra import EXTRA

POSITION, NORMAL, OPACITY = ("x", "y", "z"), ("nx", "ny", "nz"), "opacity"
REQUIRED = (*POSITION, "f_dc_0", "f_dc_1", "f_dc_2", OPACITY, "scale_0", "scale_1")
REST_COUNTS = (0, 9, 24, 45)  # 3 (K - 1) with K = 1, 4, 9, 16 coefficients


def read(data: bytes) -> dict[str, Tensor]:
    """The state of a Gaussians scene, or of a Surfels scene where there are two scales.

    means, wxyz, log_scales, opacity_logits, sh, `extra.NAME` for each other property, in its own type, and
    what the comments say.
    Raises UserError if it is not such a file, or any length is wrong.
    """
    vertices = read_element(data, "vertex")
    names = vertices.dtype.names or ()
    missing = [n for n in (*REQUIRED, *(f"rot_{i}" for i in range(4))) if n not in names]
    if missing:
        raise UserError(
            f"the PLY's vertices lack {', '.join(missing)}; expected Gaussians in the 3DGS layout "
            "(x y z f_dc_* opacity scale_* rot_*)"
        )
    rest = sum(name.startswith("f_rest_") for name in names)
    if rest not in REST_COUNTS or not {f"f_rest_{i}" for i in range(rest)} <= set(names):
        raise UserError(f"the PLY has {rest} f_rest properties; expected {', '.join(map(str, REST_COUNTS))}")
    count, scales = len(vertices), 3 if "scale_2" in names else 2
    shapes = {"means": (3,), "wxyz": (4,), "log_scales": (scales,), "opacity_logits": ()}
    shapes |= {"sh": (1 + rest // 3, 3)}
    state = {name: np.empty((count, *shape), np.float32) for name, shape in shapes.items()}
    columns = _columns(state)
    for rows in runs(count):
        for name, values in columns.items():
            values[rows] = vertices[name][rows]
    others = [name for name in names if name not in {*columns, *NORMAL}]
    if any(name in names and vertices[name].any() for name in NORMAL):
        others = [name for name in names if name not in columns]
    extra = {
        f"{EXTRA}{name}": vertices[name].astype(vertices[name].dtype.newbyteorder("=")) for name in others
    }
    return {name: torch.from_numpy(v) for name, v in (state | extra).items()} | _ply_notes.read(data)


def write(state: dict[str, Tensor]) -> bytes:
    """The file for the state of a Gaussians or a Surfels scene; `read` gives it back to the last bit.

    Without the properties that are vectors.
    """
    learned = arrays(state)
    count = len(learned["means"])
    if count > MAX_COUNT:
        raise UserError(f"{count} Gaussians; a PLY holds at most {MAX_COUNT}, so prune the scene first")
    columns = dict.fromkeys(NORMAL, np.zeros(count, np.float32)) | _columns(learned)
    columns |= {
        name.removeprefix(EXTRA): _held(values.detach().cpu().numpy())
        for name, values in state.items()
        if name.startswith(EXTRA) and values.ndim == 1
    }
    names = [*POSITION, *NORMAL, *(name for name in columns if name not in {*POSITION, *NORMAL})]
    row = np.dtype([(name, columns[name].dtype.newbyteorder("<")) for name in names])
    table = np.empty(count, row)
    for rows in runs(count):
        for name in names:
            table[name][rows] = columns[name][rows]
    return b"".join([_header(count, row, _ply_notes.lines(state)), table.data])


def _held(values: np.ndarray) -> np.ndarray:
    """Numbers in a type that the format has: whole ones of 64 bits become doubles."""
    return values if values.dtype.str[1:] in TYPE_NAMES else values.astype(np.float64)


def _columns(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The properties of a file, in its order, as views of the learned arrays."""
    sh, scales = state["sh"], state["log_scales"]
    columns = {name: state["means"][:, i] for i, name in enumerate(POSITION)}
    columns |= {f"f_dc_{i}": sh[:, 0, i] for i in range(3)}
    places = [(k, c) for c in range(3) for k in range(1, sh.shape[1])]
    columns |= {f"f_rest_{i}": sh[:, k, c] for i, (k, c) in enumerate(places)}
    columns |= {OPACITY: state["opacity_logits"]}
    columns |= {f"scale_{i}": scales[:, i] for i in range(scales.shape[1])}
    return columns | {f"rot_{i}": state["wxyz"][:, i] for i in range(4)}


def _header(count: int, row: np.dtype, notes: list[str]) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    lines += [f"property {TYPE_NAMES[row[name].str[1:]]} {name}" for name in row.names or ()]
    return ("\n".join([*lines, *notes, "end_header"]) + "\n").encode()
