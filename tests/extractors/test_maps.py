"""Maps in a folder: read as they were written, whatever their size; every mistake a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from distill3d import files
from distill3d.camera import turntable
from distill3d.errors import UserError
from distill3d.extractor import FeatureMaps
from distill3d.extractors.maps import Maps
from distill3d.lift.operator import operator_of, row_sum
from distill3d.representations.gaussians import Gaussians

VIEWS = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three cameras of 24 x 16 pixels, and maps of 6 x 4 cells and five channels."""
    files.save_cameras(turntable(VIEWS, width=24, height=16), tmp_path / "transforms.json")
    for view in range(VIEWS):
        np.save(tmp_path / f"{view:04d}.npy", a_map(view))
    return tmp_path


def a_map(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape or (4, 6, 5)).astype(np.float32)


def opened(folder: Path, **settings: Any) -> FeatureMaps:
    scene = Gaussians.start(count=20)
    return Maps(folder=str(folder), **settings).maps(scene, views=99, size=99, seed=0)


def test_maps_are_the_directions_in_the_files_in_the_cameras_order(folder: Path) -> None:
    maps = opened(folder)
    assert isinstance(maps, FeatureMaps)
    assert (maps.patch, maps.channels, len(maps.cameras)) == (4, 5, 3)
    assert Maps(folder=str(folder)).views(99) == 3 and maps.judge(torch.zeros(2, 5), torch.ones(2, 1)) == {}
    for view in range(VIEWS):
        vectors = torch.from_numpy(a_map(view))
        assert_close(maps[view].vectors, vectors / vectors.norm(dim=-1, keepdim=True))
        assert (maps[view].believed == 1).all()


@pytest.mark.parametrize(
    ("cells", "rays", "patch"),
    [((4, 6), 8, 4), ((4, 6), 2, 2), ((16, 24), 8, 1), ((5, 7), 8, 3), ((3, 3), 8, 7)],
)
def test_cells_are_the_pictures_however_it_is_cut(
    folder: Path, cells: tuple[int, int], rays: int, patch: int
) -> None:
    """The scene is rendered at a multiple of the map's size, and lies in it where it lies in the picture."""
    for view in range(VIEWS):
        np.save(folder / f"{view:04d}.npy", a_map(view, *cells, 5))
    maps = opened(folder, rays=rays)
    assert maps.patch == patch
    assert (maps.cameras.height, maps.cameras.width) == (cells[0] * patch, cells[1] * patch)
    scene = Gaussians.start(count=300, opacity=0.9, radius=0.6)
    middles = []
    for cameras, side in ((maps.cameras, maps.patch), (turntable(VIEWS, width=24, height=16), 1)):
        alpha = row_sum(operator_of(scene, cameras, patch=side))[0, ..., 0]
        places = (torch.arange(n) + 0.5 for n in alpha.shape)
        middles.append([float((p * alpha.sum(1 - i)).sum() / alpha.sum() / n)
                        for i, (p, n) in enumerate(zip(places, alpha.shape, strict=True))])  # fmt: skip
    assert middles[0] == pytest.approx(middles[1], abs=0.02)


def test_an_npz_may_say_how_far_it_is_believed(folder: Path) -> None:
    (folder / "0001.npy").unlink()
    trust = np.linspace(0, 1, 24).reshape(4, 6)
    np.savez(folder / "0001.npz", tokens=a_map(1).astype(np.float16), believed=trust)
    said = opened(folder)[1]
    assert_close(said.believed[..., 0], torch.from_numpy(trust).float())
    assert said.vectors.dtype == torch.float32


def test_words_beside_the_cameras_are_known(folder: Path) -> None:
    (folder / "words.json").write_text(json.dumps({"words": {"Roof": [0, 0, 1, 0, 0]}}))
    assert opened(folder).words["roof"].tolist() == [0, 0, 1, 0, 0]
    (folder / "words.json").write_text(json.dumps({"words": {"Roof": [0, 1]}}))
    with pytest.raises(UserError, match=r"words\.json does not fit"):
        opened(folder)


def test_cameras_stand_in_the_world_that_the_scene_was_made_from(folder: Path) -> None:
    scene = Gaussians.start(count=20)
    scene.scene_transform[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    away = Maps(folder=str(folder)).maps(scene, views=1, size=1, seed=0).cameras.centres
    assert_close(away, opened(folder).cameras.centres + torch.tensor([1.0, 2.0, 3.0]), atol=1e-4, rtol=0)


SPRUNG: list[str] = []


def spring() -> None:
    """What must not be called by a file."""
    SPRUNG.append("!")


class Trap:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (spring, ())


def _cut(folder: Path) -> None:
    path = folder / "0001.npy"
    path.write_bytes(path.read_bytes()[:200])


def _huge(folder: Path) -> None:
    """A header that promises more than there is."""
    path = folder / "0001.npy"
    path.write_bytes(path.read_bytes().replace(b"(4, 6, 5)", b"(4, 6, 9000000000)")[:400])


def _nan(folder: Path) -> None:
    values = a_map(1)
    values[2, 3, 4] = np.nan
    np.save(folder / "0001.npy", values)


def _nameless(folder: Path) -> None:
    path = folder / "transforms.json"
    path.write_text(path.read_text().replace("file_path", "name"))


MISTAKES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (
        lambda f: (f / "0001.npy").unlink(),
        r"0001: neither is there of \.npy and \.npz; expected one",
    ),
    "both": (lambda f: np.savez(f / "0001.npz", a_map(1)), "0001: both are there"),
    "channels": (
        lambda f: np.save(f / "0001.npy", a_map(1, 4, 6, 7)),
        r"0001\.npy is a map of 4 x 6 x 7 and",
    ),
    "size": (
        lambda f: np.save(f / "0002.npy", a_map(1, 4, 4, 5)),
        r"of 4 x 4 x 5 and 0000\.npy of 4 x 6 x 5",
    ),
    "flat": (
        lambda f: np.save(f / "0001.npy", a_map(1, 24, 5)),
        "an array of 24 x 5 float32; expected h x w x D",
    ),
    "words": (lambda f: np.save(f / "0001.npy", np.full((4, 6, 5), "x")), "expected h x w x D real numbers"),
    "empty": (lambda f: np.save(f / "0001.npy", np.zeros((4, 6, 0))), "expected h x w x D"),
    "nan": (_nan, r"0001\.npy has 1 numbers that are not finite"),
    "pickle": (
        lambda f: np.save(f / "0001.npy", np.array([Trap()]), allow_pickle=True),
        "without pickled objects",
    ),
    "cut": (_cut, r"0001\.npy cannot be read as numbers"),
    "huge": (_huge, r"0001\.npy cannot be read as numbers"),
    "text": (lambda f: (f / "0001.npy").write_text("hello"), r"0001\.npy cannot be read as numbers"),
    "no cameras": (lambda f: (f / "transforms.json").unlink(), r"has no transforms\.json"),
    "no json": (lambda f: (f / "transforms.json").write_text("{"), "no cameras in it"),
    "no frames": (
        lambda f: (f / "transforms.json").write_text('{"frames": []}'),
        r"camera matrices of shape \(0,\)",
    ),
    "no path": (_nameless, r"names no pictures .* expected frames that each have a file_path"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(folder: Path, mistake: str) -> None:
    make, sentence = MISTAKES[mistake]
    make(folder)
    with pytest.raises(UserError, match=sentence) as said:
        opened(folder)
    assert "\n" not in str(said.value) and not SPRUNG


def test_mistakes_in_an_npz_are_too(folder: Path) -> None:
    (folder / "0001.npy").unlink()
    for arrays, sentence in (
        ({"a": a_map(1), "b": a_map(1)}, "holds a, b; expected one map"),
        ({"a": a_map(1), "believed": np.ones((2, 2))}, "believed is not 4 x 6 numbers"),
        ({"a": a_map(1), "believed": np.full((4, 6), np.nan)}, "believed is not"),
        ({"believed": np.ones((4, 6))}, "holds no map"),
    ):
        np.savez(folder / "0001.npz", **arrays)  # pyright: ignore[reportArgumentType]
        with pytest.raises(UserError, match=sentence):
            opened(folder)
    (folder / "0001.npz").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="cannot be read as numbers"):
        opened(folder)


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="0 rays"):
        Maps(rays=0)
    with pytest.raises(UserError, match=r"no folder was given; expected --features\.folder"):
        Maps().views(3)
