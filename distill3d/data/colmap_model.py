"""Sparse models of COLMAP (Schönberger and Frahm 2016), binary and text: cameras, images and points3D.

An image's quaternion (wxyz) and translation take the world to the camera (x right, y down, z forward).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from distill3d.data.dataset import MAX_FRAMES, MAX_SIDE_PX, Points
from distill3d.data.lens import Lens
from distill3d.errors import UserError

MODELS = {
    "SIMPLE_PINHOLE": ("f cx cy", 0),
    "PINHOLE": ("fx fy cx cy", 1),
    "SIMPLE_RADIAL": ("f cx cy k1", 2),
    "RADIAL": ("f cx cy k1 k2", 3),
    "OPENCV": ("fx fy cx cy k1 k2 p1 p2", 4),
    "OPENCV_FISHEYE": ("fx fy cx cy k1 k2 k3 k4", 5),
    "FULL_OPENCV": ("fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6", 6),
    "SIMPLE_RADIAL_FISHEYE": ("f cx cy k1", 8),
    "RADIAL_FISHEYE": ("f cx cy k1 k2", 9),
}
"""Names of each model's parameters in their order, and its number in binary files."""
BY_NUMBER = {number: name for name, (_, number) in MODELS.items()}
MAX_POINTS = 100_000_000


@dataclass(frozen=True)
class Camera:
    width: int
    height: int
    intrinsics: tuple[float, float, float, float]
    lens: Lens


@dataclass(frozen=True)
class Image:
    name: str
    wxyz: tuple[float, ...]
    translation: tuple[float, ...]
    camera: int


@dataclass(frozen=True)
class Model:
    """Cameras by their numbers, and the images that they took."""

    folder: Path
    cameras: dict[int, Camera]
    images: list[Image]


def kind_of(folder: Path) -> str:
    """Whether the model in a folder is binary or text, as its files' suffix; empty if there is none."""
    return next((kind for kind in ("bin", "txt") if (folder / f"cameras.{kind}").is_file()), "")


def read(folder: Path) -> Model:
    """The model in a folder that has one. Raises UserError that names the file and the place in it."""
    kind = kind_of(folder)
    images = folder / f"images.{kind}"
    if not images.is_file():
        raise UserError(f"{images} is not there; expected it beside the other files of the model")
    cameras = folder / f"cameras.{kind}"
    if kind == "bin":
        return Model(folder, _binary_cameras(cameras), _binary_images(images))
    return Model(folder, _text_cameras(cameras), _text_images(images))


def read_points(folder: Path) -> Points | None:
    """The points of the model in a folder; None where it has no file of them."""
    kind = kind_of(folder)
    path = folder / f"points3D.{kind}"
    if not path.is_file():
        return None
    rows = list(_binary_points(path) if kind == "bin" else _text_points(path))
    table = torch.tensor(rows, dtype=torch.float64).reshape(-1, 6)
    table = table[torch.isfinite(table).all(-1)]
    return Points(table[:, :3].float(), table[:, 3:].float() / 255)


def _camera(where: str, model: str, width: int, height: int, values: tuple[float, ...]) -> Camera:
    if not 0 < width <= MAX_SIDE_PX or not 0 < height <= MAX_SIDE_PX:
        raise UserError(f"{where} is {width} x {height}; expected 1 to {MAX_SIDE_PX} pixels a side")
    named = dict(zip(MODELS[model][0].split(), values, strict=True))
    fx = named.get("fx", named.get("f", 0.0))
    fy = named.get("fy", fx)
    if not (np.isfinite(values).all() and fx > 0 and fy > 0):
        raise UserError(f"{where} has parameters {values}; expected finite ones and a focal length over 0")
    k = tuple(named.get(f"k{i}", 0.0) for i in range(1, 7))
    lens = Lens(k, (named.get("p1", 0.0), named.get("p2", 0.0)), "FISHEYE" in model)
    return Camera(width, height, (fx, fy, named["cx"], named["cy"]), lens)


# Text


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.startswith("#"):
            yield number, line.split()


def _text_cameras(path: Path) -> dict[int, Camera]:
    cameras = {}
    for number, words in _lines(path):
        if not words:
            continue
        where = f"{path}, line {number}"
        if len(words) < 4:
            raise UserError(f"{where} has {len(words)} words; expected id, model, width, height and numbers")
        if words[1] not in MODELS:
            raise UserError(f"{where} has the model {words[1][:40]}; expected one of {', '.join(MODELS)}")
        names = MODELS[words[1]][0]
        if len(words) - 4 != len(names.split()):
            raise UserError(f"{where} has {len(words) - 4} numbers of a {words[1]}; expected {names}")
        identity, width, height = (_integer(where, words[i]) for i in (0, 2, 3))
        cameras[identity] = _camera(where, words[1], width, height, tuple(_real(where, w) for w in words[4:]))
    return cameras


def _text_images(path: Path) -> list[Image]:
    lines = list(_lines(path))
    while lines and not lines[-1][1]:
        lines.pop()
    images = []
    for number, words in lines[1::2]:  # each image's second line lists its points: x, y, and an id
        if len(words) % 3 or not all(word.lstrip("-").isdecimal() for word in words[2:3]):
            raise UserError(
                f"{path}, line {number} lists no points; expected those of the image before, or an empty line"
            )
    for number, words in lines[::2]:
        where = f"{path}, line {number}"
        if len(words) < 10:
            raise UserError(
                f"{where} has {len(words)} words; expected id, quaternion, translation, camera, name"
            )
        pose = tuple(_real(where, word) for word in words[1:8])
        images.append(Image(" ".join(words[9:]), pose[:4], pose[4:], _integer(where, words[8])))
    return images


def _integer(where: str, word: str) -> int:
    if not word.lstrip("-").isdecimal():
        raise UserError(f'{where}: "{word}" is not a whole number; expected one')
    return int(word)


def _real(where: str, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise UserError(f'{where}: "{word}" is not a number; expected one') from error


# Binary, little endian


class _Reader:
    """Numbers of a file in turn; never past its end."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.at = path, path.read_bytes(), 0

    def take(self, layout: str) -> tuple:
        size = struct.calcsize(f"<{layout}")
        self.skip(size)
        return struct.unpack_from(f"<{layout}", self.data, self.at - size)

    def skip(self, size: int) -> None:
        if size > len(self.data) - self.at:
            raise UserError(
                f"{self.path} ends after {len(self.data)} bytes, in the middle of an entry; fetch it again"
            )
        self.at += size

    def count(self, most: int) -> int:
        (count,) = self.take("Q")
        if count > most or count > len(self.data):
            raise UserError(
                f"{self.path} says that it has {count} entries, in {len(self.data)} bytes; fetch it again"
            )
        return count

    def word(self) -> str:
        end = self.data.find(b"\0", self.at, self.at + 4096)
        if end < 0:
            raise UserError(f"{self.path}: a name does not end; the file is damaged, so fetch it again")
        word, self.at = self.data[self.at : end].decode("utf-8", errors="replace"), end + 1
        return word


def _binary_cameras(path: Path) -> dict[int, Camera]:
    reader = _Reader(path)
    cameras = {}
    for _ in range(reader.count(MAX_FRAMES)):
        identity, model, width, height = reader.take("IiQQ")
        where = f"{path}, camera {identity}"
        if model not in BY_NUMBER:
            raise UserError(f"{where} has the model number {model}; expected one of {', '.join(MODELS)}")
        values = reader.take(f"{len(MODELS[BY_NUMBER[model]][0].split())}d")
        cameras[identity] = _camera(where, BY_NUMBER[model], width, height, values)
    return cameras


def _binary_images(path: Path) -> list[Image]:
    reader = _Reader(path)
    images = []
    for _ in range(reader.count(MAX_FRAMES)):
        _, *pose, camera = reader.take("I7dI")
        images.append(Image(reader.word(), tuple(pose[:4]), tuple(pose[4:]), camera))
        reader.skip(24 * reader.count(MAX_POINTS))
    return images


def _binary_points(path: Path) -> Iterator[tuple[float, ...]]:
    reader = _Reader(path)
    for _ in range(reader.count(MAX_POINTS)):
        _, *point, _error = reader.take("Q3d3Bd")
        yield tuple(point)
        reader.skip(8 * reader.count(MAX_POINTS))


def _text_points(path: Path) -> Iterator[tuple[float, ...]]:
    for number, words in _lines(path):
        if words:
            where = f"{path}, line {number}"
            if len(words) < 8:
                raise UserError(f"{where} has {len(words)} words; expected id, position, colour, error")
            yield tuple(_real(where, word) for word in words[1:7])
