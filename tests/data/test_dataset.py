"""Every layout gives back the cameras and pictures that were put into it, and damage is named."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from distill3d.data import photographs
from distill3d.data.dataset import Dataset, Frame, open_dataset, rigid
from distill3d.data.lens import Lens, undistorted
from distill3d.data.placing import upright_and_centred
from distill3d.errors import UserError
from distill3d.rotation import scale_and_rotation
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
    assert_close(centres.norm(dim=-1), torch.full((9,), 3.0), rtol=5e-3, atol=0)
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


def edited(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A dataset of nerfstudio's, whose file was changed."""
    folders.nerfstudio(folder)
    path = folder / "transforms.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return folder


def test_a_file_may_name_its_frames_to_learn_from_and_to_validate(tmp_path):
    names = {"train_filenames": ["images/003.png"], "val_filenames": ["images/001.png", "images/007.png"]}
    dataset = open_dataset(edited(tmp_path, lambda content: content.update(names)))
    assert [f.picture.name for f in dataset.train] == ["003.png"]
    assert [f.picture.name for f in dataset.test] == ["001.png", "007.png"]


@pytest.mark.parametrize(
    "path", ["./images/{i:03d}.png", "images/{i:03d}", "images\\{i:03d}.png", ".\\images\\{i:03d}"]
)
def test_pictures_are_found_however_their_paths_are_written(path, tmp_path):
    def rewrite(content):
        for i, frame in enumerate(content["frames"]):
            frame["file_path"] = path.format(i=i)

    frames = all_frames(open_dataset(edited(tmp_path, rewrite)))
    assert [f.picture.name for f in frames] == [f"{i:03d}.png" for i in range(9)]


def test_an_angle_of_view_across_and_one_up_and_down_are_two_focal_lengths(tmp_path):
    def angles(content):
        for axis, side, focal in (("x", "w", 20.0), ("y", "h", 30.0)):
            del content[f"fl_{axis}"]
            content[f"camera_angle_{axis}"] = 2 * math.atan(content[side] / 2 / focal)

    assert open_dataset(edited(tmp_path, angles)).train[0].intrinsics[:2] == pytest.approx((20.0, 30.0))


def test_cameras_of_pictures_made_smaller_shrink_with_them(tmp_path):
    def doubled(content):
        content.update({key: 2 * content[key] for key in ("w", "h", "fl_x", "fl_y", "cx", "cy")})

    folders.nerfstudio(tmp_path / "whole")
    whole, half = open_dataset(tmp_path / "whole"), open_dataset(edited(tmp_path / "half", doubled))
    assert half.train[0].intrinsics == pytest.approx(whole.train[0].intrinsics)


@pytest.mark.parametrize("place", ["images_4", "images_8"])
@pytest.mark.parametrize("layout", ["colmap", "llff"])
def test_folders_of_smaller_pictures_will_do(layout, place, tmp_path):
    LAYOUTS[layout](tmp_path)
    (tmp_path / "images").rename(tmp_path / place)
    (tmp_path / place / "._000.png").write_text("not a picture")
    assert {f.picture.parent.name for f in open_dataset(tmp_path).train} == {place}


@pytest.mark.parametrize("name", ["masks/{}.png", "masks/{}"])
def test_a_model_may_have_masks(name, tmp_path):
    folders.colmap(tmp_path)
    (tmp_path / "masks").mkdir()
    values = np.zeros((20, 24), np.uint8)
    values[:, :12] = 255
    Image.fromarray(values).save(tmp_path / name.format("003.png"))
    dataset = open_dataset(tmp_path)
    taken = photographs.load(dataset, all_frames(dataset))
    believed = taken.believed[..., 0].float().mean((1, 2)) / 255
    assert_close(believed, torch.tensor([1.0, 1, 1, 0.5, 1, 1, 1, 1, 1]))


def test_grey_of_sixteen_bits_is_as_bright_as_that_of_eight(tmp_path):
    folders.blender(tmp_path)
    for i in range(9):
        Image.fromarray(np.full((20, 24), 257 * 100, np.uint16)).save(tmp_path / f"train/r_{i}.png")
    dataset = open_dataset(tmp_path)
    assert (photographs.load(dataset, dataset.train).rgba[..., :3] == 100).all()


# Where the subject is


def facing(count: int = 15, *, noise: float = 0.0) -> list[Frame]:
    """Cameras side by side that look along +y, as people hold them."""
    generator = torch.Generator().manual_seed(0)
    frames = []
    for i in range(count):
        pose = torch.eye(4, dtype=torch.float64)
        forward = torch.tensor([0.0, 1, 0]).double() + noise * torch.randn(3, generator=generator).double()
        forward = forward / forward.norm()
        right = torch.nn.functional.normalize(torch.linalg.cross(forward, pose[2, :3]), dim=0)
        eye = torch.tensor([0.25 * (i % 5) - 0.5, 0.0, 0.25 * (i // 5) - 0.25]).double()
        pose[:3] = torch.stack([right, torch.linalg.cross(forward, right), forward, eye], 1)
        frames.append(Frame(str(i), Path("x"), pose, (1.0, 1.0, 1.0, 1.0), 2, 2))
    return frames


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_cameras_side_by_side_look_at_what_is_as_deep_as_is_known(noise):
    to_ours = upright_and_centred(facing(noise=noise), torch.full((15,), 4.0).double())
    focus = torch.linalg.inv(to_ours)[:3, 3]
    assert_close(focus, torch.tensor([0.0, 4, 0]).double(), rtol=0, atol=1e-9 if noise == 0 else 0.7)
    assert to_ours[2, 2] / scale_and_rotation(to_ours)[0] > 0.99


@pytest.mark.parametrize("noise", [0.0, 0.03])
@pytest.mark.parametrize("spread", [-0.05, 0.0, 0.05])
def test_cameras_side_by_side_look_at_what_is_before_them_where_nothing_is_known(noise, spread):
    """Also those whose axes go apart, and meet behind them: not where they stand, which nobody has pictured.

    They stand up to 1.1 apart and see as wide as far, so that pictures of something 2.2 away share half.
    """
    frames = [replace(frame, width=1, height=1) for frame in facing(noise=noise)]
    for frame in frames:
        frame.camera_to_world[0, 2] += spread * frame.camera_to_world[0, 3]
        q, r = torch.linalg.qr(frame.camera_to_world[:3, :3].flip(1))
        frame.camera_to_world[:3, :3] = (q * r.diagonal().sign()).flip(1)
    to_ours = upright_and_centred(frames)
    focus = torch.linalg.inv(to_ours)[:3, 3]
    assert_close(focus, torch.tensor([0.0, 2.236, 0]).double(), rtol=0, atol=0.3)
    for frame in frames:
        x, y, z = torch.linalg.inv(frame.camera_to_world)[:3] @ torch.cat([focus, focus.new_ones(1)])
        assert z > 0 and max(abs(x / z), abs(y / z)) < 0.5, "in the picture"


def test_a_world_of_another_scale_and_place_is_the_same_one_for_cameras_side_by_side():
    here = upright_and_centred(facing(noise=0.03))
    similarity = torch.eye(4).double()
    similarity[:3] = torch.tensor([[0.0, -7, 0, 3], [7, 0, 0, 5], [0, 0, 7, -2]])
    moved = [replace(f, camera_to_world=rigid(similarity, f.camera_to_world)) for f in facing(noise=0.03)]
    there = upright_and_centred(moved) @ similarity
    eyes = torch.stack([frame.camera_to_world[:, 3] for frame in facing(noise=0.03)])
    assert_close((eyes @ there.T)[:, 2], (eyes @ here.T)[:, 2])
    assert_close((eyes @ there.T)[:, :3].norm(dim=1), (eyes @ here.T)[:, :3].norm(dim=1))


def test_near_and_far_bounds_say_how_deep(tmp_path):
    """The middle of 2 and 6 as pictures show it is 3."""
    folders.llff(tmp_path)
    rows = np.load(tmp_path / "poses_bounds.npy")
    for row, frame in zip(rows, facing(9), strict=True):
        right, down, forward, eye = frame.camera_to_world[:3].numpy().T
        row[:15].reshape(3, 5)[:, :4] = np.stack([down, right, -forward, eye], 1)
        row[15:] = 2, 6
    np.save(tmp_path / "poses_bounds.npy", rows)
    focus = torch.linalg.inv(open_dataset(tmp_path).scene_transform)[:3, 3]
    assert focus[1] == pytest.approx(3)


def test_points_say_how_deep(tmp_path):
    folders.colmap(tmp_path, kind="txt")
    lines = []
    for i, frame in enumerate(facing(9)):
        x, y, z = torch.linalg.inv(frame.camera_to_world)[:3, 3].tolist()
        lines.append(f"{i + 1} {0.5**0.5} {0.5**0.5} 0 0 {x} {y} {z} 1 {i:03d}.png\n\n")
    (tmp_path / "sparse" / "0" / "images.txt").write_text("".join(lines))
    points = "".join(f"{i} 0 {depth} 0 1 2 3 0.1\n" for i, depth in enumerate((-9, 2, 5, 100)))
    (tmp_path / "sparse" / "0" / "points3D.txt").write_text(points)
    focus = torch.linalg.inv(open_dataset(tmp_path).scene_transform)[:3, 3]
    assert focus[1] == pytest.approx(5)


def test_cameras_that_look_down_from_all_headings_are_over_their_subject():
    frames = []
    for i in range(8):
        pose = torch.diag(torch.tensor([1.0, -1, -1, 1])).double()
        turn = torch.tensor(2 * math.pi * i / 8).double()
        pose[:2, :2] = torch.stack([turn.cos(), turn.sin(), turn.sin(), -turn.cos()]).reshape(2, 2)
        pose[:3, 3] = torch.tensor([0.1 * i, 0.0, 3.0])
        frames.append(Frame(str(i), Path("x"), pose, (1.0, 1.0, 1.0, 1.0), 2, 2))
    to_ours = upright_and_centred(frames)
    assert to_ours[2, 2] / scale_and_rotation(to_ours)[0] == pytest.approx(1)


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


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"frames": []}, "has no frames"),
        ({"frames": [[1, 2]]}, 'no list "frames" of objects'),
        ({"test_filenames": 4}, "test_filenames is no list of names"),
        ({"test_filenames": ["images/gone.png"]}, "names images/gone.png, which no frame is called"),
        (
            {"camera_model": "EQUIRECTANGULAR"},
            "frame 0 .*camera_model is EQUIRECTANGULAR; expected PERSPECTIVE",
        ),
        ({"k4": 0.1}, "frame 0 .*k4 is 0.1; expected 0"),
        ({"w": 48}, "frame 0 .*w and h are 48 and 20, and its picture is 24 x 20"),
        ({"w": True}, "frame 0 .*w is True"),
        ({"h": 0}, "frame 0 .*w and h are 24 and 0"),
        ({"mask_path": 3}, "frame 0 .*mask_path is 3"),
        ({"mask_path": "no.png"}, "frame 1 .*its mask .*no.png is not there"),
        ({"fl_y": -1}, "frame 0 .*fl_y is -1"),
        ({"fl_x": 1e300}, "frame 0 .*beyond 1e"),
    ],
)
def test_files_of_other_programs_with_odd_values_are_sentences(change, reason, tmp_path):
    sentence = refusal(edited(tmp_path, lambda content: content.update(change)))
    assert re.search(reason, sentence) and "\n" not in sentence


def test_a_mirrored_world_is_no_world(tmp_path):
    def mirror(content):
        for frame in content["frames"]:
            frame["transform_matrix"][0] = [-value for value in frame["transform_matrix"][0]]

    assert "frame 0" in refusal(edited(tmp_path, mirror))


def test_cameras_at_one_place_are_refused(tmp_path):
    def gather(content):
        for frame in content["frames"]:
            for row in frame["transform_matrix"][:3]:
                row[3] = 1.5

    assert "frame 0" in refusal(edited(tmp_path, gather))


def test_a_file_nested_too_deep_is_refused(tmp_path):
    (tmp_path / "transforms.json").write_text("[" * 100_000)
    assert "not JSON" in refusal(tmp_path)


def test_pictures_of_floats_are_named(tmp_path):
    folders.blender(tmp_path)
    Image.fromarray(np.ones((20, 24), np.float32)).save(tmp_path / "train" / "r_3.png", format="TIFF")
    assert "frame 3" in refusal(tmp_path)


@pytest.mark.parametrize("bounds", [(0.0, 6.0), (2.0, 1.0), (np.nan, 1.0), (1e-300, 1e300)])
def test_bounds_that_are_none_are_named(bounds, tmp_path):
    folders.llff(tmp_path)
    rows = np.load(tmp_path / "poses_bounds.npy")
    rows[4, 15:] = bounds
    np.save(tmp_path / "poses_bounds.npy", rows)
    assert "row 4: its bounds" in refusal(tmp_path)


def test_an_array_beyond_its_file_is_refused(tmp_path):
    folders.llff(tmp_path)
    path = tmp_path / "poses_bounds.npy"
    path.write_bytes(path.read_bytes().replace(b"(9, 17), }          ", b"(9999999999, 17), } "))
    assert "9999999999 rows" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 FOV 24 20 30 30 12 10 0.5", "the model FOV; expected one of SIMPLE_PINHOLE"),
        ("1 PINHOLE 24 20 30", "1 numbers of a PINHOLE; expected fx fy cx cy"),
        ("1 PINHOLE 24", "3 words"),
        ("1 PINHOLE 20 24 30 30 12 10", "image 000.png: its camera is 20 x 24, and its picture 24 x 20"),
        ("7 PINHOLE 24 20 30 30 12 10", "image 000.png: its camera 1 is not in the model; it has [7]"),
    ],
)
def test_cameras_of_no_use_are_named(line, reason, tmp_path):
    folders.colmap(tmp_path, kind="txt")
    (tmp_path / "sparse" / "0" / "cameras.txt").write_text(line + "\n")
    assert reason in refusal(tmp_path)


def test_images_without_the_lines_of_their_points_are_refused(tmp_path):
    """Every second would be taken for the points of the one before."""
    folders.colmap(tmp_path, kind="txt")
    path = tmp_path / "sparse" / "0" / "images.txt"
    path.write_text("".join(f"{line}\n" for line in path.read_text().splitlines() if line))
    assert "images.txt, line 3 lists no points" in refusal(tmp_path)


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


def test_a_file_of_a_dataset_names_its_folder(tmp_path):
    folders.blender(tmp_path)
    assert refusal(tmp_path / "transforms_train.json").endswith(f"such as {tmp_path}")
    assert refusal(tmp_path / "gone").endswith("expected a dataset's folder")
