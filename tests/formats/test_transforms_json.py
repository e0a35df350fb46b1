"""Cameras in files: written and read they are the same, and OpenGL's axes are turned into ours."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch

from distill3d.camera import orbit
from distill3d.errors import UserError
from distill3d.formats import transforms_json


def _file(frames: int = 1, **top: Any) -> dict[str, Any]:
    pose = torch.eye(4).tolist()
    return {"w": 40, "h": 30, "camera_angle_x": 0.7, "frames": [{"transform_matrix": pose}] * frames, **top}


def _read(content: Any) -> Any:
    return transforms_json.read(json.dumps(content).encode())


def test_reading_undoes_writing() -> None:
    before = orbit(torch.linspace(-3, 3, 7), torch.linspace(-1.5, 1.5, 7), width=33, height=21)
    after = transforms_json.read(transforms_json.write(before))
    assert (after.width, after.height) == (33, 21)
    assert torch.allclose(after.world_to_camera, before.world_to_camera, atol=1e-6)
    assert torch.equal(after.intrinsics, before.intrinsics)


def test_opengl_looks_along_minus_z_with_y_up() -> None:
    cameras = _read(_file())
    point = torch.tensor([0.25, 0.5, -2.0, 1.0])
    assert torch.allclose(cameras.world_to_camera[0] @ point, torch.tensor([0.25, -0.5, 2.0, 1.0]))


def test_the_translation_is_the_eye() -> None:
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor([1.0, -2.0, 3.0])
    cameras = _read({**_file(), "frames": [{"transform_matrix": pose.tolist()}]})
    assert torch.allclose(cameras.centres[0], pose[:3, 3])


def test_the_angle_spans_the_width() -> None:
    cameras = _read(_file(camera_angle_x=math.pi / 2))
    assert torch.allclose(cameras.intrinsics[0], torch.tensor([20.0, 20.0, 20.0, 15.0]))


def test_a_frame_may_have_its_own_lens_and_the_order_is_kept() -> None:
    content = _file(2)
    content["frames"] = [
        {**content["frames"][0], "fl_x": 50, "fl_y": 51, "cx": 1, "cy": 2},
        {**content["frames"][1], "fl_x": 60},
    ]
    assert _read(content).intrinsics.tolist() == [[50, 51, 1, 2], [60, 60, 20, 15]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"frames": []}, "camera matrices of shape"),
        ({"frames": 3}, "no cameras"),
        ({"frames": [{"transform_matrix": [[1, 0], [0, 1]]}]}, "camera matrices of shape"),
        ({"frames": [{"transform_matrix": (torch.eye(4) * 2).tolist()}]}, "not a rigid motion"),
        ({"frames": [{"transform_matrix": [[float("nan")] * 4] * 4}]}, "not a rigid motion"),
        ({"w": None}, "w is None"),
        ({"h": 10**9}, "h is 1000000000"),
        ({"w": 0}, "w is 0"),
        ({"k1": 0.1}, "lens distortion"),
        ({"fl_x": -3}, "fl_x is -3"),
        ({"fl_x": 3, "fl_y": "wide"}, "fl_y is 'wide'"),
        ({"cx": float("inf")}, "cx is inf"),
        ({"camera_angle_x": 0}, "camera_angle_x is 0"),
    ],
)
def test_what_makes_no_camera_is_named(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        _read({**_file(), **change})


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"frames": [1]}'])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(UserError, match="no cameras"):
        transforms_json.read(data)


def test_frames_of_several_sizes_are_refused() -> None:
    content = _file(2)
    content["frames"] = [content["frames"][0], {**content["frames"][1], "w": 50}]
    with pytest.raises(UserError, match="2 sizes"):
        _read(content)
