"""torch-ngp's fields are judged by their photographs at the photographs' own cameras."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from distill3d import files
from tests.commands.conftest import Said
from tests.data.folders import FLIP, cameras, poses
from tests.formats.test_torch_ngp import definition, parameters, saved
from tests.representations.small import start

Run = Callable[..., Said]
SIDE, STEPS = 20, 300


def photograph(pose: np.ndarray, focal: float, model: dict[str, torch.Tensor], scale: float) -> np.ndarray:
    """What torch-ngp shows over black of an OpenGL camera in the photographs' world: bound 1."""
    ngp = pose[[1, 2, 0]] * np.array([1, -1, -1, scale])  # its nerf_matrix_to_ngp
    x, y = np.meshgrid(*[np.arange(SIDE) + 0.5 - SIDE / 2] * 2)
    d = np.stack([x / focal, y / focal, np.ones_like(x)], -1).reshape(-1, 3) @ ngp[:, :3].T
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    ends = np.stack([(-1 - ngp[:, 3]) / d, (1 - ngp[:, 3]) / d])
    near, far = ends.min(0).max(1).clip(0), ends.max(0).min(1)
    dt = np.clip(far - near, 0, None) / STEPS
    p = ngp[:, 3] + (near[:, None] + (np.arange(STEPS) + 0.5) * dt[:, None])[..., None] * d[:, None]
    sigma, rgb = definition(p.reshape(-1, 3), np.repeat(d, STEPS, 0), model)
    thickness = sigma.reshape(-1, STEPS) * dt[:, None]
    weight = np.exp(thickness - np.cumsum(thickness, 1)) * (1 - np.exp(-thickness))
    return (weight[..., None] * rgb.reshape(-1, STEPS, 3)).sum(1).reshape(SIDE, SIDE, 3)


@pytest.mark.parametrize("scale", [0.33, 0.2])
def test_a_field_stands_where_its_photographs_were_taken(distill3d: Run, scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    model = parameters(8)
    model["color_net.2.weight"] = 2 * torch.randn(3, 16, generator=generator)
    Path("field.pth").write_bytes(saved(model))
    views, frames = cameras(3, width=SIDE, height=SIDE), []
    for i, pose in enumerate(poses(views) @ FLIP):
        pose[:3, 3] *= 1.2 / scale / 3  # 1.2 of torch-ngp's units from its origin
        shown = photograph(pose.numpy()[:3], SIDE, model, scale)
        Image.fromarray((255 * shown).round().astype(np.uint8)).save(f"{i}.png")
        frames.append({"file_path": f"{i}.png", "transform_matrix": pose.tolist()})
    lens = {"fl_x": SIDE, "fl_y": SIDE, "cx": SIDE / 2, "cy": SIDE / 2, "w": SIDE, "h": SIDE}
    Path("transforms.json").write_text(json.dumps({**lens, "frames": frames}))

    def psnr(scene: str, *flags: object) -> float:
        said = distill3d("eval", scene, ".", "--split", "train", *flags)
        assert said.code == 0, said.err
        return json.loads(said.out)["psnr"]

    told = () if scale == 0.33 else ("--source-scale", scale)
    right = psnr("field.pth", *told)
    assert right > 30, "what is left is that steps are of another length"
    assert psnr("field.pth", "--source-scale", 1.3 * scale) < right - 6
    said = distill3d("export", "field.pth", "--out", "field.safetensors", *told)
    assert said.code == 0, said.err
    assert psnr("field.safetensors") == pytest.approx(right, abs=1e-6)


def test_other_scenes_have_no_source_scale(distill3d: Run) -> None:
    files.save(start("gaussians"), "a.ply")
    said = distill3d("export", "a.ply", "--out", "b.spz", "--source-scale", 2)
    assert said.code == 2 and "holds gaussians, which needs none" in said.err and not Path("b.spz").exists()
    assert distill3d("export", "a.ply", "--out", "b.spz", "--source-scale", -1).code == 2
