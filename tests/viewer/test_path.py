"""Camera paths: smoothly through their keys; viewer/tests holds the page to the same golden file."""

from __future__ import annotations

import json
from pathlib import Path as File
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distill3d.camera import turntable
from distill3d.errors import UserError
from distill3d.rotation import matrix_from_wxyz, wxyz_from_axis_angle, wxyz_from_matrix
from distill3d.viewer import path

GOLDEN = File(__file__).parents[2] / "viewer" / "tests" / "golden" / "path.json"


def made(count: int, seed: int = 0) -> path.Path:
    """A path with keys at unequal times."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    wxyz = torch.nn.functional.normalize(random(count, 4) - 0.5, dim=-1)
    seconds = (random(count) + 0.2).cumsum(0)
    return path.Path(64, 48, 10.0, seconds, 4 * random(count, 3), wxyz, 0.3 + random(count))


@given(st.integers(1, 6), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_the_camera_passes_through_every_key(count: int, seed: int) -> None:
    way = made(count, seed)
    positions, wxyz, fov = way.at(way.seconds)
    assert torch.allclose(positions, way.positions) and torch.allclose(fov, way.fov_y_rad)
    assert torch.allclose(matrix_from_wxyz(wxyz), matrix_from_wxyz(way.wxyz), atol=1e-6)


def test_it_moves_without_a_jerk_at_keys() -> None:
    """One-sided differences of the position agree there."""
    way, step = made(5), 1e-5
    inner = way.seconds[1:-1]
    before, at, after = (way.at(inner + s)[0] for s in (-step, 0.0, step))
    assert torch.allclose((at - before) / step, (after - at) / step, atol=2e-3)


def test_straight_motion_stays_straight_and_parabolas_are_exact_inside() -> None:
    seconds = torch.tensor([0.0, 0.7, 1.0, 2.5, 3.0, 4.0], dtype=torch.float64)
    times = torch.linspace(0.0, 4.0, 50, dtype=torch.float64)
    inside = (times >= 0.7) & (times <= 3.0)
    still = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).expand(6, 4)
    for power, where in ((1, torch.ones(50, dtype=torch.bool)), (2, inside)):
        way = path.Path(8, 8, 1.0, seconds, seconds[:, None].pow(power).expand(6, 3), still, seconds * 0 + 1)
        assert torch.allclose(way.at(times)[0][where], times[where, None].pow(power).expand(-1, 3))


def test_turns_go_the_shorter_way_at_constant_speed() -> None:
    axis = torch.tensor([[0.0, 0.6, 0.8]], dtype=torch.float64)
    a, b = (wxyz_from_axis_angle(axis, torch.tensor([angle], dtype=torch.float64)) for angle in (0.2, 1.4))
    for end in (b, -b):
        for u in (0.0, 0.25, 0.5, 1.0):
            turn = path.slerp(a, end, torch.tensor([u], dtype=torch.float64))
            right = wxyz_from_axis_angle(axis, torch.tensor([0.2 + 1.2 * u], dtype=torch.float64))
            assert torch.allclose(turn, right, atol=1e-9)
    assert torch.allclose(path.slerp(a, a, torch.tensor([0.3], dtype=torch.float64)), a)


def test_a_path_through_a_turntables_cameras_gives_them_back(tmp_path: File) -> None:
    around = turntable(8, width=64, height=48)
    content: dict[str, Any] = {
        "format": path.FORMAT,
        "width": 64,
        "height": 48,
        "frames_per_second": 2,
        "keys": [
            {
                "seconds": i / 2,
                "position": around.centres[i].tolist(),
                "wxyz": wxyz_from_matrix(around.world_to_camera[i, :3, :3].T).tolist(),
                "fov_y_rad": 0.698,
            }
            for i in range(8)
        ],
    }
    file = tmp_path / "path.json"
    file.write_text(json.dumps(content))
    cameras = path.load(file).cameras()
    assert len(cameras) == 8 and (cameras.width, cameras.height) == (64, 48)
    assert torch.allclose(cameras.world_to_camera, around.world_to_camera, atol=1e-5)
    assert torch.allclose(cameras.intrinsics, around.intrinsics, rtol=1e-5)


def test_the_golden_samples_of_the_page_are_those_of_this_path() -> None:
    golden = json.loads(GOLDEN.read_text())
    way = path._path(golden["path"])
    times = torch.tensor([sample["seconds"] for sample in golden["samples"]], dtype=torch.float64)
    positions, wxyz, fov = way.at(times)
    for name, values in (("position", positions), ("wxyz", wxyz), ("fov_y_rad", fov)):
        right = torch.tensor([sample[name] for sample in golden["samples"]], dtype=torch.float64)
        assert torch.allclose(values, right, atol=1e-9), name


KEY = {"seconds": 0, "position": [3, 0, 1], "wxyz": [1, 0, 0, 0], "fov_y_rad": 0.7}
WHOLE = {"format": path.FORMAT, "width": 64, "height": 48, "frames_per_second": 30, "keys": [KEY]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([], "indices"),
        ({}, "lacks 'format'"),
        (WHOLE | {"format": "another"}, "its format is 'another'"),
        (WHOLE | {"keys": []}, "1 to 1000 keys"),
        (WHOLE | {"width": 0}, "width is '0'"),
        (WHOLE | {"width": 1.5}, "whole numbers"),
        (WHOLE | {"height": True}, "height is 'True'"),
        (WHOLE | {"frames_per_second": 0}, "frames_per_second is '0'"),
        (WHOLE | {"keys": [KEY, KEY]}, "do not grow"),
        (WHOLE | {"keys": [KEY | {"wxyz": [0, 0, 0, 0]}]}, "turns nothing"),
        (WHOLE | {"keys": [KEY | {"position": [1, 2]}]}, "position has not 3"),
        (WHOLE | {"keys": [KEY | {"fov_y_rad": 4}]}, "fov_y_rad is '4'"),
        (WHOLE | {"keys": [KEY | {"seconds": "x"}]}, "seconds is 'x'"),
        (WHOLE | {"keys": [KEY, KEY | {"seconds": 1e5}]}, "more than 20000 frames"),
    ],
)
def test_what_is_no_path_is_a_sentence(tmp_path: File, content: Any, why: str) -> None:
    file = tmp_path / "path.json"
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="is no camera path") as error:
        path.load(file)
    assert why in str(error.value)
