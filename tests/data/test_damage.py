"""Damaged datasets: each opens, or is one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given

from distill3d.data import photographs
from distill3d.data.dataset import open_dataset
from distill3d.errors import UserError
from tests.data import folders
from tests.formats.damage import DAMAGE, QUICK, THOROUGH, damaged, survives

MODEL = Path("sparse") / "0"
DAMAGED: dict[str, tuple[Callable[[Path], object], Path]] = {
    "blender": (folders.blender, Path("transforms_train.json")),
    "nerfstudio": (folders.nerfstudio, Path("transforms.json")),
    "llff": (folders.llff, Path("poses_bounds.npy")),
    **{
        f"{name}.{kind}": (partial(folders.colmap, kind=kind), MODEL / f"{name}.{kind}")
        for name in ("cameras", "images", "points3D")
        for kind in ("bin", "txt")
    },
    "picture": (folders.nerfstudio, Path("images") / "003.png"),
}
"""What makes a dataset, and the file of it that is damaged."""


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, bytes]]:
    found = {}
    for name, (make, file) in DAMAGED.items():
        folder = tmp_path_factory.mktemp("dataset") / "scene"
        make(folder)
        found[name] = folder, (folder / file).read_bytes()
    return found


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def opened(dataset: tuple[Path, bytes], name: str, data: bytes) -> None:
    folder, _ = dataset
    file = folder / DAMAGED[name][1]
    file.write_bytes(data)

    def read(_: bytes) -> None:
        dataset = open_dataset(folder)
        if name == "picture":
            photographs.load(dataset, dataset.train)
        cameras = dataset.cameras(dataset.train)
        assert cameras.world_to_camera.isfinite().all() and cameras.intrinsics.isfinite().all()

    survives(read, data)


@pytest.mark.parametrize("name", ["nerfstudio", "llff", "images.bin", "images.txt"])
@QUICK
@given(*DAMAGE)
def test_a_damaged_dataset_is_a_sentence(datasets, name, places, cut, swap):
    opened(datasets[name], name, damaged(datasets[name][1], places, cut, swap))


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGED)
@THOROUGH
@given(*DAMAGE)
def test_two_thousand_damaged_datasets_are_sentences(datasets, name, places, cut, swap):
    opened(datasets[name], name, damaged(datasets[name][1], places, cut, swap))


@pytest.mark.parametrize("name", DAMAGED)
def test_an_empty_file_is_a_sentence_unless_it_may_be_left_out(datasets, name):
    if name == "points3D.txt":
        opened(datasets[name], name, b"")
        return
    with pytest.raises(UserError):
        folder, whole = datasets[name]
        (folder / DAMAGED[name][1]).write_bytes(b"")
        open_dataset(folder)
    (folder / DAMAGED[name][1]).write_bytes(whole)
