"""Every layout gives back the cameras and pictures that were put into it, and damage is named."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from distill3d.data import photographs
from distill3d.data.dataset import Dataset, Frame, open_dataset
from distill3d.data.lens import Lens, undistorted
from distill3d.errors import UserError
from tests.data import folders

LAYOUTS = {
    "blender": folders.blender,
    "nerfstudio": folders.nerfstudio,
    "colmap": folders.colmap,
    "llff": folders.llff,
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def all_frames(dataset: Dataset) -> list[Frame]:
    both = list(dataset.train) if dataset.layout == "blender" else [*dataset.train, *dataset.test]
    return sorted(both, key=lambda frame: frame.picture)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_cameras_are_those_that_were_written(layout, tmp_path):
    views = LAYOUTS[layout](tmp_path / "scene")
    dataset = open_dataset(tmp_path / "scene")
    assert dataset.layout == layout
    frames = all_frames(dataset)
    assert_close(torch.stack([f.camera_to_world for f in frames]), folders.poses(views), rtol=0, atol=1e-6)
    assert_close(torch.tensor([f.intrinsics for f in frames]), views.intrinsics, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_our_world_is_a_similarity_of_theirs(layout, tmp_path):
    LAYOUTS[layout](tmp_path / "scene")
    dataset = open_dataset(tmp_path / "scene")
    frames = all_frames(dataset)
    cameras = dataset.cameras(frames)
    point = torch.tensor([0.3, -0.2, 0.1, 1.0], dtype=torch.float64)
    ours = cameras.world_to_camera.double() @ (dataset.scene_transform @ point)
    theirs = torch.stack([torch.linalg.inv(f.camera_to_world) @ point for f in frames])
    assert_close(ours[:, :2] / ours[:, 2:3], theirs[:, :2] / theirs[:, 2:3], rtol=0, atol=1e-5)
    ratio = ours[:, 2] / theirs[:, 2]
    assert_close(ratio, ratio[:1].expand(len(ratio)), rtol=1e-5, atol=0)


def test_cameras_around_an_object_are_centred_on_it_and_upright(tmp_path):
    folders.colmap(tmp_path / "scene")
    dataset = open_dataset(tmp_path / "scene")
    centres = dataset.cameras(all_frames(dataset)).centres
    assert_close(centres.norm(dim=-1), torch.full((9,), 3.0), rtol=1e-4, atol=0)
    assert (centres[:, 2] > 0.5).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_are_those_that_were_written(layout, tmp_path):
    LAYOUTS[layout](tmp_path / "scene")
    dataset = open_dataset(tmp_path / "scene")
    taken = photographs.load(dataset, all_frames(dataset))
    values = folders.pictures(9)
    opaque = layout in ("colmap", "llff")
    expected = values[..., :3] if opaque else values[..., :3] * values[..., 3:]
    assert (taken.rgba[..., :3].float() / 255 - expected).abs().max() < 2.5 / 255
    assert bool((taken.rgba[..., 3] == 255).all()) == opaque
    again = photographs.load(dataset, all_frames(dataset))
    assert torch.equal(again.rgba, taken.rgba)


def test_smaller_pictures_are_means_of_blocks_and_their_cameras_shrink(tmp_path):
    folders.blender(tmp_path / "scene")
    dataset = open_dataset(tmp_path / "scene")
    full, half = (photographs.load(dataset, dataset.train, downscale=k) for k in (1, 2))
    assert half.rgba.shape[1:3] == (10, 12)
    means = full.rgba.float().unfold(1, 2, 2).unfold(2, 2, 2).mean((-2, -1))
    assert (half.rgba.float() - means).abs().max() <= 1.01
    assert_close(half.cameras.intrinsics, full.cameras.intrinsics / 2)


def test_text_and_binary_models_are_the_same(tmp_path):
    for kind in ("bin", "txt"):
        folders.colmap(tmp_path / kind, kind=kind)
    a, b = open_dataset(tmp_path / "bin"), open_dataset(tmp_path / "txt")
    for one, other in zip(all_frames(a), all_frames(b), strict=True):
        assert_close(one.camera_to_world, other.camera_to_world)
    assert a.points is not None and b.points is not None
    assert_close(a.points.positions, torch.tensor([[0.5, -0.25, 0.125]]))
    assert_close(a.points.colours, b.points.colours)


def test_each_eighth_frame_tests_and_blenders_files_split_themselves(tmp_path):
    folders.colmap(tmp_path / "colmap")
    folders.blender(tmp_path / "blender")
    assert [len(open_dataset(tmp_path / "colmap").train), len(open_dataset(tmp_path / "colmap").test)] == [
        7,
        2,
    ]
    assert len(open_dataset(tmp_path / "blender").test) == 9


def test_a_file_may_name_its_test_frames(tmp_path):
    folders.nerfstudio(tmp_path)
    content = json.loads((tmp_path / "transforms.json").read_text())
    content["test_filenames"] = ["images/002.png"]
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    dataset = open_dataset(tmp_path)
    assert [f.picture.name for f in dataset.test] == ["002.png"]
    assert len(dataset.train) == 8


# Lenses

LENSES = [
    Lens((-0.2, 0.05)),
    Lens((0.1, -0.02, 0.003), (0.01, -0.02)),
    Lens((0.05, 0.01, 0.0, 0.02, 0.0, 0.0)),
    Lens((0.03, -0.01, 0.002, 0.0), fisheye=True),
]


@pytest.mark.parametrize("lens", LENSES)
def test_undistort_is_the_inverse_of_distort(lens):
    plane = torch.rand(200, 2, dtype=torch.float64) - 0.5
    assert_close(lens.undistort(lens.distort(plane)), plane, rtol=0, atol=1e-7)


def test_an_ideal_lens_changes_nothing():
    plane = torch.rand(50, 2) - 0.5
    assert torch.equal(Lens().distort(plane), plane)
    picture = torch.rand(10, 12, 3)
    assert_close(
        undistorted(picture, Lens((1e-12,)), torch.tensor([20.0, 20, 6, 5])), picture, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("lens", LENSES)
def test_a_spot_seen_through_a_lens_is_put_where_a_pinhole_sees_it(lens):
    intrinsics = torch.tensor([60.0, 60.0, 32.0, 32.0])
    ideal = torch.tensor([0.25, -0.2])
    at = (lens.distort(ideal) * 60 + 32).tolist()
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    spot = torch.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 8)[..., None]
    found = undistorted(spot, lens, intrinsics)[..., 0]
    centre = torch.stack([(found * x).sum(), (found * y).sum()]) / found.sum()
    assert_close(centre, ideal * 60 + 32, rtol=0, atol=0.35)


# Damage is named


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        dataset = open_dataset(folder)
        photographs.load(dataset, [*dataset.train, *dataset.test])
    return str(caught.value)


def test_a_missing_picture_is_named(tmp_path):
    folders.blender(tmp_path)
    (tmp_path / "train" / "r_3.png").unlink()
    assert "frame 3" in refusal(tmp_path) and "r_3" in refusal(tmp_path)


def test_a_broken_picture_is_named(tmp_path):
    folders.blender(tmp_path)
    path = tmp_path / "train" / "r_3.png"
    path.write_bytes(path.read_bytes()[:60])
    assert "r_3" in refusal(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x", None])
def test_a_pose_that_is_no_pose_is_named(value, tmp_path):
    folders.nerfstudio(tmp_path)
    content = json.loads((tmp_path / "transforms.json").read_text())
    content["frames"][4]["transform_matrix"][1][2] = value
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    assert "frame 4" in refusal(tmp_path)


def test_mixed_sizes_are_named(tmp_path):
    folders.blender(tmp_path)
    folders.write_pictures(tmp_path, ["train/r_5.png"], folders.pictures(1, width=12, height=10))
    assert "r_5" in refusal(tmp_path) and "12 x 10" in refusal(tmp_path)


def test_a_wrong_count_of_poses_is_refused(tmp_path):
    folders.llff(tmp_path)
    (tmp_path / "images" / "008.png").unlink()
    assert "9 cameras" in refusal(tmp_path) and "8 pictures" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_model_cut_short_is_refused(name, cut, tmp_path):
    folders.colmap(tmp_path)
    path = tmp_path / "sparse" / "0" / name
    path.write_bytes(path.read_bytes()[:-cut])
    assert name in refusal(tmp_path)


def test_a_count_beyond_the_file_is_refused(tmp_path):
    folders.colmap(tmp_path)
    path = tmp_path / "sparse" / "0" / "images.bin"
    path.write_bytes(struct.pack("<Q", 2**40) + path.read_bytes()[8:])
    assert "images.bin" in refusal(tmp_path)


def test_a_pickled_array_is_never_opened(tmp_path):
    folders.llff(tmp_path)
    np.save(tmp_path / "poses_bounds.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "poses_bounds.npy" in refusal(tmp_path)


def test_a_picture_outside_the_folder_is_not_read(tmp_path):
    folders.colmap(tmp_path / "scene", kind="txt")
    folders.write_pictures(tmp_path, ["secret.png"], folders.pictures(1)[..., :3])
    path = tmp_path / "scene" / "sparse" / "0" / "images.txt"
    path.write_text(path.read_text().replace("004.png", "../../secret.png"))
    assert "secret.png" in refusal(tmp_path / "scene")


def test_a_folder_that_is_no_dataset_says_what_was_expected(tmp_path):
    assert "transforms.json" in refusal(tmp_path)
