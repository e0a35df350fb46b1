"""What a snapshot of instant-ngp means, in NumPy and in instant-ngp's own coordinates; nothing is imported.

A hash grid of tiny-cuda-nn, two perceptrons without biases, and emission and absorption along rays.
"""

from __future__ import annotations

import copy
from itertools import product
from typing import Any

import numpy as np

LEVELS, FEATURES, LOG2, BASE, GROWTH, WIDTH = 3, 4, 9, 4, 2.0, 16
CONFIG: dict[str, Any] = {
    "encoding": {
        "otype": "HashGrid",
        "n_levels": LEVELS,
        "n_features_per_level": FEATURES,
        "log2_hashmap_size": LOG2,
        "base_resolution": BASE,
        "per_level_scale": GROWTH,
    },
    "network": {
        "otype": "FullyFusedMLP",
        "activation": "ReLU",
        "output_activation": "None",
        "n_neurons": WIDTH,
        "n_hidden_layers": 1,
    },
    "dir_encoding": {
        "otype": "Composite",
        "nested": [
            {"n_dims_to_encode": 3, "otype": "SphericalHarmonics", "degree": 4},
            {"otype": "Identity"},
        ],
    },
    "rgb_network": {
        "otype": "FullyFusedMLP",
        "activation": "ReLU",
        "output_activation": "None",
        "n_neurons": WIDTH,
        "n_hidden_layers": 2,
    },
}
SHAPES = [(WIDTH, 16), (16, WIDTH), (WIDTH, 32), (WIDTH, WIDTH), (16, WIDTH)]
"""12 features are filled up to 16, 3 colours to 16."""
ENTRIES = [64, 512, 512]
"""4³ and 8³ fit; 16³ = 4096 does not."""
SCALE, OFFSET = 0.33, [0.5, 0.5, 0.5]


def parameters(seed: int = 0) -> np.ndarray:
    """As float32, each of which half precision can hold."""
    rng = np.random.default_rng(seed)
    networks = [rng.normal(0, 0.6, o * i) for o, i in SHAPES]
    table = rng.normal(0, 1, sum(ENTRIES) * FEATURES)
    return np.concatenate([*networks, table]).astype(np.float16).astype(np.float32)


def encoded(u: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Features at positions [P, 3] of the unit cube."""
    columns, first = [], 0
    for level, entries in enumerate(ENTRIES):
        scale = BASE * GROWTH**level - 1
        side = int(np.ceil(scale)) + 1
        at = u * scale + 0.5
        low = np.floor(at)
        share, total = at - low, np.zeros((len(u), FEATURES))
        for corner in product((0, 1), repeat=3):
            x, y, z = (low + corner).astype(np.uint64).T
            dense = x + y * side + z * side * side
            hashed = (x ^ (y * 2654435761) ^ (z * 805459861)) & 0xFFFFFFFF
            row = (dense if side**3 <= entries else hashed) % entries
            weight = np.prod(np.where(corner, share, 1 - share), 1)
            total += weight[:, None] * table[first + row.astype(int)]
        columns.append(total)
        first += entries
    return np.concatenate(columns, 1)


def harmonics(d: np.ndarray) -> np.ndarray:
    """The 16 real spherical harmonics of tiny-cuda-nn's degree 4."""
    x, y, z = d.T
    return np.stack(
        [
            0.28209479177387814 + 0 * x,
            -0.48860251190291987 * y,
            0.48860251190291987 * z,
            -0.48860251190291987 * x,
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.94617469575755997 * z * z - 0.31539156525251999,
            -1.0925484305920792 * x * z,
            0.54627421529603959 * (x * x - y * y),
            0.59004358992664352 * y * (-3 * x * x + y * y),
            2.8906114426405538 * x * y * z,
            0.45704579946446572 * y * (1 - 5 * z * z),
            0.3731763325901154 * z * (5 * z * z - 3),
            0.45704579946446572 * x * (1 - 5 * z * z),
            1.4453057213202769 * z * (x * x - y * y),
            0.59004358992664352 * x * (-x * x + 3 * y * y),
        ],
        1,
    )


def field(p: np.ndarray, d: np.ndarray, values: np.ndarray, aabb_scale: int = 1) -> tuple[np.ndarray, ...]:
    """Density per unit of instant-ngp's, and colour, at points and unit directions of its world."""
    weights, at = [], 0
    for o, i in SHAPES:
        weights.append(values[at : at + o * i].reshape(o, i).astype(float))
        at += o * i
    table = values[at:].reshape(-1, FEATURES).astype(float)
    u = (p - 0.5) / aabb_scale + 0.5
    inputs = np.pad(encoded(u, table), ((0, 0), (0, 16 - LEVELS * FEATURES)))
    features = np.maximum(inputs @ weights[0].T, 0) @ weights[1].T
    hidden = np.concatenate([features, harmonics(d)], 1)
    for weight in weights[2:4]:
        hidden = np.maximum(hidden @ weight.T, 0)
    logits = (hidden @ weights[4].T)[:, :3]
    return np.exp(features[:, 0]), 1 / (1 + np.exp(-logits))


def picture(
    xform: np.ndarray,
    focal: float,
    size: tuple[int, int],
    box: np.ndarray,
    values: np.ndarray,
    scale: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Colour, premultiplied, and alpha, [H, W, .], of a camera: columns of `xform` are its axes and place."""
    width, height = size
    x, y = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    d = np.stack([x / focal, y / focal, np.ones_like(x)], -1).reshape(-1, 3) @ xform[:, :3].T
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    o = xform[:, 3]
    ends = np.stack([(box[0] - o) / d, (box[1] - o) / d])
    near, far = ends.min(0).max(1).clip(0), ends.max(0).min(1)
    steps = 600
    dt = np.clip(far - near, 0, None) / steps
    t = near[:, None] + (np.arange(steps) + 0.5) * dt[:, None]
    p = o + t[..., None] * d[:, None]
    sigma, rgb = field(p.reshape(-1, 3), np.repeat(d, steps, 0), values, scale)
    thickness = sigma.reshape(-1, steps) * dt[:, None]
    before = np.cumsum(thickness, 1) - thickness
    weight = np.exp(-before) * (1 - np.exp(-thickness))
    colour = (weight[..., None] * rgb.reshape(-1, steps, 3)).sum(1)
    return colour.reshape(height, width, 3), weight.sum(1).reshape(height, width)


def morton(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Bits of x, y and z in turn, x's lowest."""
    index = np.zeros_like(x)
    for bit in range(7):
        for axis, value in enumerate((x, y, z)):
            index |= ((value >> bit) & 1) << (3 * bit + axis)
    return index


def camera_in_ngp(camera_to_world: np.ndarray) -> np.ndarray:
    """nerf_matrix_to_ngp: an OpenGL camera in the photographs' world as instant-ngp keeps it."""
    result = camera_to_world[:3].copy()
    result[:, 1:3] *= -1
    result[:, 3] = result[:, 3] * SCALE + OFFSET
    return result[[1, 2, 0]]


def snapshot(
    values: np.ndarray, cameras: list[np.ndarray], grid: np.ndarray, **changes: Any
) -> dict[str, Any]:
    """The file's content, with changes to what is under `snapshot`."""
    views = [
        {"focal_length": [14.0, 14.0], "lens": {}, "principal_point": [0.5, 0.5], "resolution": [12, 10]}
        for _ in cameras
    ]
    xforms = [{"start": c.tolist(), "end": c.tolist()} for c in cameras]
    content = {
        "version": 1,
        "mode": "nerf",
        "n_params": len(values),
        "params_binary": values.astype(np.float16).tobytes(),
        "density_grid_size": 128,
        "density_grid_binary": grid.astype(np.float16).tobytes(),
        "aabb": {"min": [0.0] * 3, "max": [1.0] * 3},
        "render_aabb": {"min": [0.2, 0.1, 0.3], "max": [0.9, 0.8, 0.7]},
        "render_aabb_to_local": np.eye(3).tolist(),
        "up_dir": [0.0, 1.0, 0.0],
        "nerf": {
            "aabb_scale": 1,
            "dataset": {
                "n_images": len(views),
                "metadata": views,
                "xforms": xforms,
                "scale": SCALE,
                "offset": OFFSET,
                "aabb_scale": 1,
                "from_mitsuba": False,
                "is_hdr": False,
                "n_extra_learnable_dims": 0,
            },
        },
    }
    return {**copy.deepcopy(CONFIG), "snapshot": {**content, **changes}}
