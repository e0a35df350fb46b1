""".splat: 32 bytes for each Gaussian and no header (antimatter15's web viewer), degree 0 only.

Three float32 of the centre, three of the scales (not their logarithms), four bytes of red, green, blue and
opacity as they are seen, and four of the quaternion wxyz, 128 standing for 0. The largest and most opaque
Gaussians come first.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from distill3d.errors import UserError
from distill3d.ply import MAX_COUNT
from distill3d.sh import degree_0_from_rgb, rgb_from_degree_0

ROW = np.dtype([("means", "<f4", 3), ("scales", "<f4", 3), ("rgba", "u1", 4), ("wxyz", "u1", 4)])
LEAST, MOST = 0.5 / 255, 1 - 0.5 / 255  # opacities that a byte of 0 or 255 may stand for


def read(data: bytes) -> dict[str, Tensor]:
    """The state of a Gaussians scene: means, wxyz, log_scales, opacity_logits, sh."""
    if not data or len(data) % ROW.itemsize or len(data) // ROW.itemsize > MAX_COUNT:
        raise UserError(
            f"the .splat has {len(data)} bytes; expected a multiple of {ROW.itemsize}, so fetch it again"
        )
    rows = np.frombuffer(data, ROW)
    rgba = torch.from_numpy(rows["rgba"].astype(np.float32)) / 255
    wxyz = (torch.from_numpy(rows["wxyz"].astype(np.float32)) - 128) / 128
    wxyz[(wxyz == 0).all(-1), 0] = 1
    return {
        "means": torch.from_numpy(rows["means"].astype(np.float32)),
        "wxyz": torch.nn.functional.normalize(wxyz, dim=-1),
        "log_scales": torch.from_numpy(rows["scales"].astype(np.float32)).clamp_min(1e-12).log(),
        "opacity_logits": torch.logit(rgba[:, 3].clamp(LEAST, MOST)),
        "sh": degree_0_from_rgb(rgba[:, :3])[:, None],
    }


def write(state: dict[str, Tensor]) -> bytes:
    """The file for the state of a Gaussians scene; colours beyond degree 0 are left out."""
    values = {
        name: value.detach().cpu().float() for name, value in state.items() if isinstance(value, Tensor)
    }
    opacity, scales = values["opacity_logits"].sigmoid(), values["log_scales"].exp()
    order = (opacity * scales.prod(-1)).argsort(descending=True, stable=True)
    rgb = rgb_from_degree_0(values["sh"][:, 0])
    unit = torch.nn.functional.normalize(values["wxyz"], dim=-1)
    rows = np.empty(len(order), ROW)
    rows["means"], rows["scales"] = values["means"][order].numpy(), scales[order].numpy()
    rows["rgba"] = _bytes(torch.cat([rgb, opacity[:, None]], -1)[order] * 255)
    rows["wxyz"] = _bytes(unit[order] * 128 + 128)
    return rows.tobytes()


def _bytes(values: Tensor) -> np.ndarray:
    return values.nan_to_num().round().clamp(0, 255).to(torch.uint8).numpy()
