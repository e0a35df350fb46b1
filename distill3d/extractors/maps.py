"""Feature maps that any network has made of pictures of the scene, from a folder.

    distill3d render SCENE --out FOLDER      pictures 0000.png … and their cameras, transforms.json
    (any network)                            FOLDER/0000.npy …: [h, w, D], or 0000.npz with one such array
    distill3d lift SCENE --features maps --features.folder FOLDER

A map stands where transforms.json has its picture, with the suffix .npy or .npz. It may be as coarse as it
likes: its cells are the picture's, cut into h by w. An .npz may hold `believed` [h, w] beside its map. Words
that the network knows may stand in FOLDER/words.json, see `lift.query`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from distill3d import files
from distill3d.camera import Cameras
from distill3d.errors import UserError
from distill3d.extractor import Extractor, FeatureMap
from distill3d.lift.query import read_words
from distill3d.scene import Scene

CAMERAS, WORDS = "transforms.json", "words.json"
SUFFIXES = (".npy", ".npz")
BELIEVED = "believed"
MAX_BYTES = 1 << 30
"""Of one map, unpacked."""
Shape = tuple[int, int, int]


@dataclass
class Maps(Extractor):
    """Maps in a folder, .npy or .npz [h, w, D], that stand beside the pictures of a transforms.json."""

    folder: Annotated[str, "where transforms.json is"] = ""
    rays: Annotated[int, "pixels along a side of a map's cell, at most, at which the scene is rendered"] = 8

    def __post_init__(self) -> None:
        if self.rays < 1:
            raise ValueError(f"maps with {self.rays} rays along a cell's side; expected 1 or more")

    def views(self, asked: int) -> int:
        """How many cameras there are."""
        return len(_frames(self._cameras_file()))

    def maps(self, scene: Scene, *, views: int, size: int, seed: int) -> MapsOfFolder:
        """All of them, looked through once, so that what is wrong is found before anything is begun."""
        path = self._cameras_file()
        cameras = files.load_cameras(path, scene)
        found = [_beside(path.parent, frame) for frame in _frames(path)]
        shape = _common_shape(found)
        height, width, channels = shape
        finer = round((cameras.width * cameras.height / (width * height)) ** 0.5)
        patch = min(max(1, finer), self.rays)
        cameras = cameras.resized(width * patch, height * patch)
        known = path.with_name(WORDS)
        words = read_words(known, channels) if known.is_file() else {}
        return MapsOfFolder(cameras, patch, channels, words, tuple(found))

    def _cameras_file(self) -> Path:
        if not self.folder:
            raise UserError(
                "no folder was given; expected --features.folder, with a transforms.json and maps"
            )
        path = Path(self.folder) / CAMERAS
        if not path.is_file():
            raise UserError(
                f"{self.folder} has no {CAMERAS}; expected the cameras of its maps, such as distill3d render "
                "writes beside pictures"
            )
        return path


@dataclass(frozen=True, eq=False)
class MapsOfFolder:
    """The maps of `Maps`, of which no truth is known."""

    cameras: Cameras
    patch: int
    channels: int
    words: Mapping[str, Float[Tensor, " D"]]
    paths: tuple[Path, ...]

    def __getitem__(self, view: int) -> FeatureMap:
        vectors, believed = _read(self.paths[view])
        return FeatureMap.of(torch.from_numpy(vectors), torch.from_numpy(believed))

    def judge(self, features: Float[Tensor, "N D"], weight: Float[Tensor, "N 1"]) -> dict[str, float]:
        return {}


def _frames(path: Path) -> Sequence[Mapping[str, Any]]:
    """The frames of a transforms.json; whoever reads its cameras says what else is wrong with it."""
    try:
        frames = json.loads(path.read_bytes())["frames"]
        if not frames or not all(isinstance(frame["file_path"], str) for frame in frames):
            raise ValueError("a frame without a file_path" if frames else "no frames")
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} names no pictures ({error!r}); expected frames that each have a file_path"
        ) from error
    return frames


def _beside(folder: Path, frame: Mapping[str, Any]) -> Path:
    """A frame's map."""
    named = folder / frame["file_path"]
    stem = named.with_suffix("") if named.suffix else named
    found = [path for suffix in SUFFIXES if (path := stem.with_name(f"{stem.name}{suffix}")).is_file()]
    if len(found) != 1:
        what = "both are there" if found else "neither is there"
        raise UserError(
            f"{stem}: {what} of .npy and .npz; expected one map for each of the cameras in {CAMERAS}"
        )
    return found[0]


def _common_shape(paths: Sequence[Path]) -> Shape:
    """That of all maps."""
    shapes = {path: _read(path)[0].shape for path in paths}
    first, shape = next(iter(shapes.items()))
    for path, other in shapes.items():
        if other != shape:
            raise UserError(
                f"{path} is a map of {_said(other)} and {first.name} of {_said(shape)}; expected maps of one "
                "size with one number of channels"
            )
    return shape[0], shape[1], shape[2]


def _said(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _read(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A map [h, w, D] and how far it is believed [h, w, 1]. Raises UserError."""
    try:
        arrays = _arrays(path)
    except (ValueError, OSError, EOFError, KeyError, MemoryError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} cannot be read as numbers ({error}); expected what numpy.save or numpy.savez writes of "
            "an array, without pickled objects"
        ) from error
    believed = arrays.pop(BELIEVED, None)
    if len(arrays) != 1:
        raise UserError(
            f"{path} holds {', '.join(sorted(arrays)) or 'no map'}; expected one map, and perhaps {BELIEVED}"
        )
    (given,) = arrays.values()
    if given.ndim != 3 or given.size == 0 or given.dtype.kind not in "fiu":
        raise UserError(
            f"{path} is an array of {_said(given.shape)} {given.dtype}; expected h x w x D real numbers, a "
            "vector for each cell, without a class token and in rows"
        )
    trust = np.ones(given.shape[:2]) if believed is None else believed
    if trust.shape != given.shape[:2] or not ((trust >= 0) & (trust <= 1)).all():
        raise UserError(f"{path}: {BELIEVED} is not {_said(given.shape[:2])} numbers from 0 to 1")
    vectors = given.astype(np.float32)
    if not np.isfinite(vectors).all():
        raise UserError(
            f"{path} has {int((~np.isfinite(vectors)).sum())} numbers that are not finite; expected none: "
            f"put zeros there, or save {BELIEVED} with zeros beside it"
        )
    return vectors, trust.astype(np.float32)[..., None]


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    if path.suffix == ".npy":
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes, of which at most {MAX_BYTES} are read")
        return {"map": np.load(path, allow_pickle=False)}
    with zipfile.ZipFile(path) as file:
        unpacked = sum(part.file_size for part in file.infolist())
    if unpacked > MAX_BYTES:
        raise ValueError(f"{unpacked} bytes, of which at most {MAX_BYTES} are read")
    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files}
