"""Captures of a telephone as COLMAP and people leave them: names are found, and pictures turned."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.testing import assert_close

from distill3d.commands import fit
from distill3d.data import photographs
from distill3d.data.dataset import Dataset, open_dataset
from distill3d.data.found import Pictures
from distill3d.errors import Lost, UserError
from tests.data import folders


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    folders.colmap(tmp_path / "capture")
    return tmp_path / "capture"


def levels() -> np.ndarray:
    """The pictures of every capture, in 8 bits."""
    return (folders.pictures(9)[..., :3].numpy() * 255).round().astype(np.uint8)


def loaded(folder: Path) -> tuple[Dataset, Tensor, Tensor]:
    """The dataset, its colours in 8 bits and its masks, by the pictures' names."""
    dataset = open_dataset(folder)
    frames = sorted([*dataset.train, *dataset.test], key=lambda frame: frame.name)
    taken = photographs.load(dataset, frames)
    return dataset, taken.rgba[..., :3], taken.believed[..., 0]


def assert_are_those(colours: Tensor, within: int = 0) -> None:
    assert (colours.int() - torch.from_numpy(levels()).int()).abs().max() <= within


@pytest.mark.parametrize("name", ["input", "photos", "images_2", "Aufnahmen vom 3. Mai"])
def test_the_folder_of_pictures_may_have_another_name(capture: Path, name: str) -> None:
    (capture / "images").rename(capture / name)
    for other in ("masks", "depth_maps"):
        shutil.copytree(capture / name, capture / other)
    assert {frame.picture.parent.name for frame in open_dataset(capture).train} == {name}


def test_two_folders_that_may_be_meant_are_named(capture: Path) -> None:
    shutil.copytree(capture / "images", capture / "a")
    (capture / "images").rename(capture / "b")
    with pytest.raises(UserError, match=r"000.png is in .*a and in .*b; call the folder"):
        open_dataset(capture)


def test_pictures_may_lie_deeper_and_under_the_name_of_an_undistorted_capture(capture: Path) -> None:
    (capture / "dense").mkdir()
    for name in ("sparse", "images"):
        (capture / name).rename(capture / "dense" / name)
    assert len(open_dataset(capture).train) == 7


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg", ".PNG", ""])
@pytest.mark.parametrize("layout", ["colmap", "nerfstudio"])
def test_a_suffix_may_be_another_one(suffix: str, layout: str, tmp_path: Path) -> None:
    """As in capitals from a telephone, as JPEG in a folder of smaller pictures, or not written at all."""
    {"colmap": folders.colmap, "nerfstudio": folders.nerfstudio}[layout](tmp_path)
    for path in (tmp_path / "images").iterdir():
        path.rename(path.with_suffix(suffix or ".png"))
    text = tmp_path / "transforms.json"
    if layout == "nerfstudio" and not suffix:
        text.write_text(text.read_text().replace(".png", ""))
    dataset = open_dataset(tmp_path)
    assert {f.picture.suffix for f in [*dataset.train, *dataset.test]} == {suffix or ".png"}


def test_names_with_dots_are_not_taken_for_suffixes(tmp_path: Path) -> None:
    for name in ("a.1.png", "a.png", "b.jpg", "b.PNG", "._c.png"):
        (tmp_path / name).touch()
    pictures = Pictures(tmp_path)
    found = {name: pictures.find(name) for name in ("a.1", "a.2", "a", "b", "B.tif", "c")}
    assert {name: path and path.name for name, path in found.items()} == {
        "a.1": "a.1.png",
        "a.2": None,
        "a": "a.png",
        "b": "b.PNG",
        "B.tif": "b.PNG",
        "c": None,
    }


def cut(folder: Path, count: int) -> None:
    """Leave the first images of the model in a folder."""
    path = folder / "images.bin"
    data = path.read_bytes()
    path.write_bytes(struct.pack("<Q", count) + data[8 : 8 + (len(data) - 8) // 9 * count])


def test_of_several_models_the_largest_is_taken_and_the_others_are_named(capture: Path) -> None:
    for number, count in ((1, 9), (2, 3)):
        shutil.copytree(capture / "sparse" / "0", capture / "sparse" / str(number))
        cut(capture / "sparse" / str(number), count)
    cut(capture / "sparse" / "0", 2)
    dataset = open_dataset(capture)
    assert len(dataset.train) + len(dataset.test) == 9
    assert dataset.left_out == ("the model 1 of 9 images is taken, and not 0 of 2 or 2 of 3",)


def test_pictures_without_a_camera_are_counted(capture: Path) -> None:
    assert open_dataset(capture).left_out == ()
    cut(capture / "sparse" / "0", 6)
    (sentence,) = open_dataset(capture).left_out
    assert sentence.startswith("3 of 9 pictures are not in the model")


def test_a_fit_says_what_it_leaves_out(capture: Path) -> None:
    cut(capture / "sparse" / "0", 6)
    with pytest.warns(Lost, match="3 of 9 pictures are not in the model"):
        fit._resolve(fit.GRAMMAR.from_command_line([str(capture)]))


@pytest.mark.parametrize(("orientation", "quarters"), [(6, 1), (8, 3)])
@pytest.mark.parametrize("layout", ["colmap", "nerfstudio"])
def test_pictures_that_lie_on_their_side_are_turned_where_their_cameras_are(
    layout: str, orientation: int, quarters: int, tmp_path: Path
) -> None:
    """A telephone keeps what its sensor saw, and a tag; programs read it with the tag, or without."""
    {"colmap": folders.colmap, "nerfstudio": folders.nerfstudio}[layout](tmp_path)
    for path, picture in zip(sorted((tmp_path / "images").iterdir()), levels(), strict=True):
        tag = Image.Exif()
        tag[0x0112] = orientation
        Image.fromarray(np.rot90(picture, quarters).copy()).save(path, exif=tag)
    _, colours, _ = loaded(tmp_path)
    assert_are_those(colours)


def test_pictures_whose_cameras_lie_as_they_do_stay_so(capture: Path) -> None:
    for path, picture in zip(sorted((capture / "images").iterdir()), levels(), strict=True):
        tag = Image.Exif()
        tag[0x0112] = 6
        Image.fromarray(picture).save(path, exif=tag)
    assert_are_those(loaded(capture)[1])


def test_pictures_for_printing_have_their_colours(capture: Path) -> None:
    for path, picture in zip(sorted((capture / "images").iterdir()), levels(), strict=True):
        Image.fromarray(picture).convert("CMYK").save(path.with_suffix(".jpg"), quality=100, subsampling=0)
        path.unlink()
    assert_are_those(loaded(capture)[1], within=6)


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_pictures_are_grey(bits: int, capture: Path) -> None:
    kind, white = (np.uint8, 1) if bits == 8 else (np.uint16, 257)
    for path, picture in zip(sorted((capture / "images").iterdir()), levels(), strict=True):
        Image.fromarray((picture[..., 0].astype(int) * white).astype(kind)).save(path)
    _, colours, _ = loaded(capture)
    assert_close(colours, torch.from_numpy(levels()[..., :1]).expand(-1, -1, -1, 3))


@pytest.mark.parametrize("name", ["masks/{}.jpg", "masks/{}.PNG", "mask/{}.png", "masks/{}.png.png"])
@pytest.mark.parametrize("times", [1, 2])
def test_masks_may_have_another_suffix_and_the_size_of_the_whole_pictures(
    name: str, times: int, capture: Path
) -> None:
    (capture / name).parent.mkdir()
    for i in range(9):
        values = np.zeros((20 * times, 24 * times), np.uint8)
        values[:, : 12 * times] = 255
        path = capture / name.format(f"{i:03d}")
        Image.fromarray(values).save(path, **({"quality": 100} if path.suffix == ".jpg" else {}))
    _, _, believed = loaded(capture)
    assert (believed[:, :, :11] == 255).all() and (believed[:, :, 13:] == 0).all()


def test_a_model_without_its_pictures_says_where_they_are_expected(capture: Path) -> None:
    with pytest.raises(UserError, match=r"expected .*images.000.png, and a folder that holds"):
        open_dataset(capture / "sparse" / "0")
