"""Which of the closed world's objects do these pictures show? Bayes over its renders.

With pictures x_n of one object, renders c_i(camera, b) of instance i and the tolerance s of a pixel,

    p(i | x) ∝ exp(-Σ_n ‖x_n - c_i‖² / 2 s²)

each render from the picture's own camera, in front of the colour b behind the object. What nobody has said of
the two is what explains the picture best: c = rgb + (1 - a) b is linear in b, so that b is a projection, and
a camera is looked for among the stations first, then around the best of them. Norms are those of pictures of
16 x 16 pixels in [-1, 1], whatever the size (see exact.py).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from distill3d.camera import Cameras, azimuth_elevation, orbit
from distill3d.visual_prompt import VisualPrompt
from distill3d.world.bank import bank_of, painted
from distill3d.world.grammar import describe
from distill3d.world.model import Model, instances

SIDE = 32  # pixels of the longer side of what is compared
STATIONS = 128
AROUND_DEG = (6.0, 2.0, 0.7)
"""How far around the best camera so far others are tried, each time."""


@lru_cache(maxsize=4)
def log_identities(visual: VisualPrompt, prompt: str, count: int, tolerance: float) -> Float[Tensor, " I"]:
    """Log p(i | x) of the `count` instances of a prompt; kept, as all steps of a run ask for the same."""
    squares = _by_cameras(visual, prompt, count) if visual.cameras else _by_stations(visual, prompt, count)
    return (squares.sum(-1) / (-2 * tolerance**2)).log_softmax(-1)


def _by_cameras(visual: VisualPrompt, prompt: str, count: int) -> Float[Tensor, "I N"]:
    """‖x_n - c‖² of the render of each instance from each picture's camera."""
    assert visual.cameras is not None
    sides = visual.cameras.width, visual.cameras.height
    width, height = (max(1, round(side * SIDE / max(sides))) for side in sides)
    shown, cameras = _resized(visual.rgb, width, height), visual.cameras.resized(width, height)
    return torch.stack([_squares(shown, _rgba(m, cameras)) for m in instances(describe(prompt), count)])


def _by_stations(visual: VisualPrompt, prompt: str, count: int) -> Float[Tensor, "I N"]:
    """‖x_n - c‖² of the best render of each instance from anywhere."""
    known = bank_of(describe(prompt), count, STATIONS, width=SIDE, height=SIDE)
    renders, models = known.rgba.float() / 255, instances(describe(prompt), count)
    least = []
    for x in _resized(visual.rgb, SIDE, SIDE):
        squares = _squares(x, renders).unflatten(0, (count, STATIONS))
        best = squares.min(-1)
        nearer = [
            _nearer(x, model, known.cameras[station])
            for model, station in zip(models, best.indices, strict=True)
        ]
        least.append(torch.minimum(best.values, torch.stack(nearer)))
    return torch.stack(least, -1)


def _nearer(x: Float[Tensor, "H W 3"], model: Model, camera: Cameras) -> Float[Tensor, ""]:
    """‖x - c‖² of the best render of a model by cameras that a search around `camera` comes to."""
    squares = torch.empty(0)
    for reach_deg in AROUND_DEG:
        cameras = _around(camera, reach_deg)
        squares = _squares(x, _rgba(model, cameras))
        camera = cameras[squares.argmin()]
    return squares.min()


def _around(camera: Cameras, reach_deg: float) -> Cameras:
    """A square of 5 x 5 cameras around one, itself in the middle."""
    offsets = torch.deg2rad(torch.linspace(-reach_deg, reach_deg, 5))
    azimuth, elevation = azimuth_elevation(camera)
    up, along = torch.meshgrid(offsets, offsets, indexing="ij")
    elevations = (elevation + up.flatten()).clamp(-0.5 * math.pi, 0.5 * math.pi)
    azimuths = azimuth + along.flatten() / elevations.cos().clamp_min(0.1)
    return orbit(azimuths, elevations, width=camera.width, height=camera.height)


def _rgba(model: Model, cameras: Cameras) -> Float[Tensor, "K H W 4"]:
    seen = painted(model, cameras)
    return torch.cat([seen.rgb, seen.alpha], -1)


def _squares(shown: Float[Tensor, "*K H W 3"], rgba: Float[Tensor, "K H W 4"]) -> Float[Tensor, " K"]:
    """‖x - c(b)‖² at the best background b in [0, 1] of each render and channel."""
    left, missing = shown - rgba[..., :3], 1 - rgba[..., 3:]
    along, square = (missing * left).sum((1, 2)), missing.square().sum((1, 2))
    b = (along / square.clamp_min(1e-9)).clamp(0, 1)
    least = (left - missing * b[:, None, None]).square().sum((1, 2, 3))
    return least * (4 * 16**2 / math.prod(rgba.shape[1:3]))


def _resized(rgb: Float[Tensor, "N H W 3"], width: int, height: int) -> Float[Tensor, "N h w 3"]:
    return interpolate(rgb.movedim(-1, 1), (height, width), mode="area").movedim(1, -1)
