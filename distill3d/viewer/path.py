"""Camera paths: key frames that the page saves, and the smooth way between them, the same here as there.

    {"format": "distill3d path 1", "width": 640, "height": 480, "frames_per_second": 30,
     "keys": [{"seconds": 0, "position": [3, 0, 1], "wxyz": [1, 0, 0, 0], "fov_y_rad": 0.7}, …]}

`position` is the eye in the world, `wxyz` turns OpenCV's camera (x right, y down, z forward) into the world,
and times grow. Between keys i and i+1, h seconds apart, at the share u of the way:
    positions       cubic Hermite with the tangents of a Catmull-Rom spline on unequal knots,
                    m = (h₊ d₋ + h₋ d₊) / (h₋ + h₊), with d the slopes before and after a key and h how long
                    they are; at the ends the slope of the only side there is
    turns           the shorter great circle (slerp), at constant speed
    fields of view  as positions, of log tan(fov / 2)
Before the first key and after the last the camera stands still.
Source: Catmull and Rom 1974, A Class of Local Interpolating Splines; Shoemake 1985, Animating Rotation with
Quaternion Curves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path as File
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from distill3d.camera import Cameras
from distill3d.errors import UserError
from distill3d.rotation import matrix_from_wxyz

FORMAT = "distill3d path 1"
MOST_KEYS = 1000
MOST_FRAMES = 20_000
MAX_SIDE_PX = 8192.0
NEARLY_STRAIGHT = 1 - 1e-9
"""Cosine of half the angle between turns, above which slerp is a straight line."""


@dataclass(frozen=True)
class Path:
    """A camera's way: K keys, at least one."""

    width: int
    height: int
    frames_per_second: float
    seconds: Float64[Tensor, " K"]
    positions: Float64[Tensor, "K 3"]
    wxyz: Float64[Tensor, "K 4"]
    fov_y_rad: Float64[Tensor, " K"]

    def at(
        self, times: Float64[Tensor, " F"]
    ) -> tuple[Float64[Tensor, "F 3"], Float64[Tensor, "F 4"], Float64[Tensor, " F"]]:
        """Positions, turns and vertical fields of view at some times."""
        if len(self.seconds) == 1:
            rows = torch.zeros(len(times), dtype=torch.long)
            return self.positions[rows], self.wxyz[rows], self.fov_y_rad[rows]
        times = times.clamp(self.seconds[0], self.seconds[-1])
        before = (torch.searchsorted(self.seconds, times, right=True) - 1).clamp(0, len(self.seconds) - 2)
        u = (times - self.seconds[before]) / (self.seconds[before + 1] - self.seconds[before])
        focal = torch.cat([self.positions, (self.fov_y_rad / 2).tan().log()[:, None]], 1)
        smooth = _catmull_rom(self.seconds, focal, before, u)
        turns = slerp(self.wxyz[before], self.wxyz[before + 1], u)
        return smooth[:, :3], turns, 2 * smooth[:, 3].exp().atan()

    def cameras(self) -> Cameras:
        """One camera for each frame, from the first key to the last."""
        begin, end = float(self.seconds[0]), float(self.seconds[-1])
        count = math.floor((end - begin) * self.frames_per_second + 1e-6) + 1
        times = begin + torch.arange(count, dtype=torch.float64) / self.frames_per_second
        positions, wxyz, fov_y_rad = self.at(times)
        to_camera = matrix_from_wxyz(wxyz).mT
        pose = torch.eye(4, dtype=torch.float64).repeat(count, 1, 1)
        pose[:, :3, :3] = to_camera
        pose[:, :3, 3] = -(to_camera @ positions[..., None])[..., 0]
        focal_px = 0.5 * self.height / (fov_y_rad / 2).tan()
        centre = torch.tensor([self.width / 2, self.height / 2], dtype=torch.float64).expand(count, 2)
        intrinsics = torch.cat([focal_px[:, None].expand(-1, 2), centre], 1)
        return Cameras(pose.float(), intrinsics.float(), self.width, self.height)


def _catmull_rom(
    knots: Float64[Tensor, " K"],
    values: Float64[Tensor, "K D"],
    before: Tensor,
    u: Float64[Tensor, " F"],
) -> Float64[Tensor, "F D"]:
    """The spline through `values` at `knots`, at the share u of the way from knot `before` to the next."""
    h = knots.diff()[:, None]
    d = values.diff(dim=0) / h
    inner = (h[1:] * d[:-1] + h[:-1] * d[1:]) / (h[:-1] + h[1:])
    m = torch.cat([d[:1], inner, d[-1:]])
    u, h = u[:, None], h[before]
    return (
        (2 * u**3 - 3 * u**2 + 1) * values[before]
        + (u**3 - 2 * u**2 + u) * h * m[before]
        + (3 * u**2 - 2 * u**3) * values[before + 1]
        + (u**3 - u**2) * h * m[before + 1]
    )


def slerp(
    a: Float64[Tensor, "F 4"], b: Float64[Tensor, "F 4"], u: Float64[Tensor, " F"]
) -> Float64[Tensor, "F 4"]:
    """Turns on the shorter great circle from unit quaternions a (u = 0) to b (u = 1)."""
    cosine = (a * b).sum(-1, keepdim=True)
    b, cosine, u = torch.where(cosine < 0, -b, b), cosine.abs(), u[:, None]
    angle = cosine.clamp(max=NEARLY_STRAIGHT).acos()
    straight = (1 - u) * a + u * b
    round_ = (((1 - u) * angle).sin() * a + (u * angle).sin() * b) / angle.sin()
    return torch.nn.functional.normalize(torch.where(cosine > NEARLY_STRAIGHT, straight, round_), dim=-1)


def load(file: File) -> Path:
    """The path in a file that the page has saved. Raises UserError for anything else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {str(content['format'])[:40]!r}")
        return _path(content)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise UserError(f'{file} is no camera path ({why}); expected a "{FORMAT}" from the viewer') from error


def _path(content: dict[str, Any]) -> Path:
    keys = content["keys"]
    if not isinstance(keys, list) or not 1 <= len(keys) <= MOST_KEYS:
        raise ValueError(f"expected 1 to {MOST_KEYS} keys")
    width, height = (_number(content[side], 1.0, MAX_SIDE_PX, side) for side in ("width", "height"))
    if width != int(width) or height != int(height):
        raise ValueError("width and height are whole numbers of pixels")
    rate = _number(content["frames_per_second"], 1e-3, 1000.0, "frames_per_second")
    seconds = [_number(key["seconds"], -1e6, 1e6, "seconds") for key in keys]
    if any(b <= a for a, b in pairwise(seconds)):
        raise ValueError("the seconds of the keys do not grow")
    if (seconds[-1] - seconds[0]) * rate > MOST_FRAMES:
        raise ValueError(f"it has more than {MOST_FRAMES} frames")
    wxyz = torch.tensor([_numbers(key["wxyz"], 4, "wxyz") for key in keys], dtype=torch.float64)
    if (wxyz.norm(dim=-1) < 1e-6).any():
        raise ValueError("a wxyz is zero, which turns nothing")
    return Path(
        int(width),
        int(height),
        rate,
        torch.tensor(seconds, dtype=torch.float64),
        torch.tensor([_numbers(key["position"], 3, "position") for key in keys], dtype=torch.float64),
        torch.nn.functional.normalize(wxyz, dim=-1),
        torch.tensor(
            [_number(key["fov_y_rad"], 1e-3, 3.1, "fov_y_rad") for key in keys], dtype=torch.float64
        ),
    )


def _numbers(values: Any, count: int, name: str) -> Sequence[float]:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{name} has not {count} numbers")
    return [_number(value, -1e6, 1e6, name) for value in values]


def _number(value: Any, least: float, most: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} is {str(value)[:40]!r}, not a number of {least:g} to {most:g}")
    return float(value)
