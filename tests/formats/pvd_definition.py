"""What PVD's checkpoints mean, in NumPy and float64; nothing is imported from what is tested."""

from __future__ import annotations

import numpy as np
import torch

from tests.formats.ngp_definition import harmonics

Model = dict[str, torch.Tensor]
SIDE, RANKS, OCTAVES, WIDTH, SKIP = 6, {"sigma": 2, "color": 3}, 3, 20, 1


def checkpoint(kind: str) -> Model:
    """The tensors of a small model of PVD's `--model_type`, with numbers on both sides of the limits."""
    generator = torch.Generator().manual_seed(3)

    def noise(*shape: int, spread: float = 0.6) -> torch.Tensor:
        return spread * torch.randn(*shape, generator=generator)

    box = {name: torch.tensor([-1.0] * 3 + [1.0] * 3) for name in ("aabb_train", "aabb_infer")}
    colour = {f"color_net.{i}.weight": noise(*s) for i, s in enumerate([(16, 31), (16, 16), (3, 16)])}
    if kind == "tensors":
        return box | {"tensor_volume.0": noise(1, 28, SIDE - 1, SIDE, SIDE + 1, spread=4)}
    if kind == "vm":
        model = box | colour | {"basis_mat.weight": noise(15, 3 * RANKS["color"], spread=2)}
        for name, rank in RANKS.items():
            for i in range(3):
                model[f"{name}_mat.{i}"] = noise(1, rank, SIDE, SIDE, spread=2)
                model[f"{name}_vec.{i}"] = noise(1, rank, SIDE, 1, spread=2)
        return model
    seen = 3 + 6 * OCTAVES
    widths = [(WIDTH, seen), (WIDTH, WIDTH), (WIDTH, WIDTH + seen), (10, WIDTH)]
    model = box | colour | {f"nerf_mlp.{i}.weight": noise(*s, spread=0.4) for i, s in enumerate(widths)}
    model |= {f"nerf_mlp.{i}.bias": noise(s[0]) for i, s in enumerate(widths)}
    return model | {"sigma_net.0.weight": noise(16, 10), "sigma_net.1.weight": noise(16, 16)}


def answers(kind: str, p: np.ndarray, d: np.ndarray, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Density and colour at points [P, 3] of [-1, 1]³, seen along unit directions [P, 3]."""
    values = {name: value.double().numpy() for name, value in model.items()}
    raw, features = {"mlp": _network, "vm": _planes, "tensors": _voxels}[kind](p, values)
    if kind == "tensors":
        logits = np.stack(
            [(features[:, 9 * c : 9 * c + 9] * harmonics(d)[:, :9]).sum(1) for c in range(3)], 1
        )
    else:
        h = np.concatenate([harmonics(d), features], 1)
        for i in range(2):
            h = np.maximum(h @ values[f"color_net.{i}.weight"].T, 0)
        logits = h @ values["color_net.2.weight"].T
    return np.exp(np.clip(raw, -2, 7)), 1 / (1 + np.exp(-logits))


def _network(p: np.ndarray, values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    seen = [p]
    for k in range(OCTAVES):
        seen += [np.sin(2**k * p), np.cos(2**k * p)]
    waves = h = np.concatenate(seen, 1)
    for i in range(4):
        h = h @ values[f"nerf_mlp.{i}.weight"].T + values[f"nerf_mlp.{i}.bias"]
        h = np.maximum(h, 0) if i < 3 else h
        h = np.concatenate([waves, h], 1) if i == SKIP else h
    h = np.maximum(h @ values["sigma_net.0.weight"].T, 0) @ values["sigma_net.1.weight"].T
    return h[:, 0], h[:, 1:]


def _planes(p: np.ndarray, values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    products: dict[str, list[np.ndarray]] = {"sigma": [], "color": []}
    for name, found in products.items():
        for i, (plane, line) in enumerate([([0, 1], 2), ([0, 2], 1), ([1, 2], 0)]):
            on_line = np.stack([0 * p[:, line], p[:, line]], 1)
            across = _blend(values[f"{name}_mat.{i}"], p[:, plane])
            found.append(across * _blend(values[f"{name}_vec.{i}"], on_line))
    features = np.concatenate(products["color"], 1) @ values["basis_mat.weight"].T
    return np.concatenate(products["sigma"], 1).sum(1), np.clip(features, -2, 7)


def _voxels(p: np.ndarray, values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    found = _blend(values["tensor_volume.0"], p)
    return found[:, 0], found[:, 1:]


def _blend(table: np.ndarray, at: np.ndarray) -> np.ndarray:
    """What torch's grid_sample finds in a table [1, C, ..., Y, X] at points (x, y, ...) of [-1, 1]."""
    grid = torch.tensor(at).reshape(1, len(at), *[1] * (at.shape[1] - 1), at.shape[1])
    found = torch.nn.functional.grid_sample(torch.tensor(table), grid, align_corners=True)
    return found.reshape(table.shape[1], len(at)).T.numpy()
