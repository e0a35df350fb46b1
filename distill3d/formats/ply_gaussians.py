"""PLY with Gaussians, in the layout of the 3D Gaussian Splatting code (Kerbl et al. 2023, arXiv 2308.04079).

One element `vertex` of float32 properties, little endian:
    x y z              centre
    nx ny nz           zeros, kept for old readers
    f_dc_0..2          degree-0 coefficients; the colour is 0.5 + 0.28209479 f_dc
    f_rest_0..         higher coefficients, all of red, then all of green, then all of blue
    opacity            a logit
    scale_0..2         logarithms
    rot_0..3           quaternion wxyz
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats.ply import MAX_COUNT, column, read_element

REQUIRED = ("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity")
REST_COUNTS = (0, 9, 24, 45)  # 3 (K - 1) with K = 1, 4, 9, 16 coefficients


def read(data: bytes) -> dict[str, Tensor]:
    """The state of a Gaussians scene: means, wxyz, log_scales, opacity_logits, sh.

    Other properties are ignored. Raises UserError if it is not such a file, or any length is wrong.
    """
    vertices = read_element(data, "vertex")
    names = set(vertices.dtype.names or ())
    wanted = [*REQUIRED, *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UserError(
            f"the PLY's vertices lack {', '.join(missing)}; expected Gaussians in the 3DGS layout "
            "(x y z f_dc_* opacity scale_* rot_*)"
        )
    rest = sum(name.startswith("f_rest_") for name in names)
    if rest not in REST_COUNTS or not {f"f_rest_{i}" for i in range(rest)} <= names:
        raise UserError(f"the PLY has {rest} f_rest properties; expected {', '.join(map(str, REST_COUNTS))}")
    dc = _stack(vertices, [f"f_dc_{i}" for i in range(3)])[:, None]
    higher = _stack(vertices, [f"f_rest_{i}" for i in range(rest)]).reshape(len(vertices), 3, rest // 3).mT
    return {
        "means": _stack(vertices, ["x", "y", "z"]),
        "wxyz": _stack(vertices, [f"rot_{i}" for i in range(4)]),
        "log_scales": _stack(vertices, [f"scale_{i}" for i in range(3)]),
        "opacity_logits": column(vertices, "opacity"),
        "sh": torch.cat([dc, higher], 1).contiguous(),
    }


def write(state: dict[str, Tensor]) -> bytes:
    """The file for the state of a Gaussians scene; `read` gives it back to the last bit."""
    sh = state["sh"]
    count, rest = len(sh), 3 * (sh.shape[1] - 1)
    if count > MAX_COUNT:
        raise UserError(f"{count} Gaussians; a PLY holds at most {MAX_COUNT}, so prune the scene first")
    columns: dict[str, Tensor] = {name: state["means"][:, i] for i, name in enumerate("xyz")}
    columns |= {name: torch.zeros(count) for name in ("nx", "ny", "nz")}
    columns |= {f"f_dc_{i}": sh[:, 0, i] for i in range(3)}
    columns |= {f"f_rest_{i}": v for i, v in enumerate(sh[:, 1:].mT.reshape(count, rest).unbind(1))}
    columns |= {"opacity": state["opacity_logits"]}
    columns |= {f"scale_{i}": state["log_scales"][:, i] for i in range(3)}
    columns |= {f"rot_{i}": state["wxyz"][:, i] for i in range(4)}
    table = np.empty(count, dtype=[(name, "<f4") for name in columns])
    for name, values in columns.items():
        table[name] = values.detach().cpu().numpy()
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    header += [*(f"property float {name}" for name in columns), "end_header"]
    return ("\n".join(header) + "\n").encode() + table.tobytes()


def _stack(vertices: np.ndarray, names: list[str]) -> Tensor:
    if not names:
        return torch.zeros(len(vertices), 0)
    return torch.stack([column(vertices, name) for name in names], 1)
