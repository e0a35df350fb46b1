"""Gaussians in torch checkpoints, gsplat's ckpt_*.pt and splatfacto's step-*.ckpt; reading unpickles nothing.

gsplat keeps `splats` {means, scales, quats, opacities, sh0, shN}; splatfacto keeps `pipeline` with the names
_model.gauss_params.{means, scales, quats, features_dc, features_rest, opacities}, in older files without
gauss_params. Scales are logarithms, opacities logits, quaternions wxyz in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from distill3d.errors import UserError
from distill3d.formats import checkpoint

GSPLAT = {"means": "means", "wxyz": "quats", "log_scales": "scales", "opacity_logits": "opacities"}
NERFSTUDIO = ("_model.gauss_params.", "_model.")


def read(data: bytes) -> dict[str, Tensor]:
    """The state of a Gaussians scene: means, wxyz, log_scales, opacity_logits, sh."""
    content = checkpoint.read(data, "gsplat's or splatfacto's")
    splats = _splats(content)
    state = {name: _tensor(splats, key) for name, key in GSPLAT.items()}
    count = len(state["means"])
    state["opacity_logits"] = state["opacity_logits"].reshape(-1)
    sh = [_tensor(splats, "sh0").reshape(count, -1, 3)] if count else [torch.zeros(0, 1, 3)]
    if "shN" in splats:
        sh.append(_tensor(splats, "shN").reshape(count, -1, 3))
    state["sh"] = torch.cat(sh, 1)
    wanted = {"means": (count, 3), "wxyz": (count, 4), "log_scales": (count, 3), "opacity_logits": (count,)}
    for name, shape in wanted.items():
        if tuple(state[name].shape) != shape:
            raise UserError(f"the checkpoint's {name} are {tuple(state[name].shape)}; expected {shape}")
    if state["sh"].shape[1] not in (1, 4, 9, 16):
        raise UserError(f"the checkpoint has {state['sh'].shape[1]} harmonics; expected 1, 4, 9 or 16")
    return state


def write_gsplat(state: Mapping[str, Tensor]) -> bytes:
    """A gsplat checkpoint of a Gaussians scene's state, without what its trainer keeps beside the splats."""
    splats = {theirs: state[ours].detach().float().contiguous() for ours, theirs in GSPLAT.items()}
    sh = state["sh"].detach().float()
    splats |= {"sh0": sh[:, :1].contiguous(), "shN": sh[:, 1:].contiguous()}
    return checkpoint.write({"step": 0, "splats": splats})


def write_splatfacto(state: Mapping[str, Tensor]) -> bytes:
    """A splatfacto checkpoint of a Gaussians scene's state, without optimizers."""
    splats = {theirs: state[ours].detach().float().contiguous() for ours, theirs in GSPLAT.items()}
    sh = state["sh"].detach().float()
    splats |= {"features_dc": sh[:, 0].contiguous(), "features_rest": sh[:, 1:].contiguous()}
    splats["opacities"] = splats["opacities"][:, None]
    return checkpoint.write({"step": 0, "pipeline": {NERFSTUDIO[0] + name: t for name, t in splats.items()}})


def _splats(content: Any) -> Mapping[str, Any]:
    """The tensors under gsplat's names."""
    if isinstance(content, Mapping) and isinstance(content.get("splats"), Mapping):
        return content["splats"]
    pipeline = content.get("pipeline") if isinstance(content, Mapping) else None
    for prefix in NERFSTUDIO:
        if isinstance(pipeline, Mapping) and f"{prefix}means" in pipeline:
            names = {"sh0": "features_dc", "shN": "features_rest"}
            keys = [*GSPLAT.values(), "sh0", "shN"]
            return {
                k: pipeline[f"{prefix}{names.get(k, k)}"]
                for k in keys
                if f"{prefix}{names.get(k, k)}" in pipeline
            }
    raise UserError("the checkpoint holds no Gaussians; expected gsplat's splats or splatfacto's pipeline")


def _tensor(splats: Mapping[str, Any], key: str) -> Tensor:
    value = splats.get(key)
    fits = isinstance(value, Tensor) and value.is_floating_point() and checkpoint.all_there(value)
    if not isinstance(value, Tensor) or not fits or not value.ndim:
        raise UserError(f"the checkpoint's Gaussians have no {key}; expected a tensor of floats")
    return value.detach().float().contiguous()
