"""The camera conventions."""

import math

import pytest
import torch

from distill3d.camera import Cameras, azimuth_elevation, look_at, orbit, turntable


def project(cameras: Cameras, point):
    x, y, z = (
        cameras.world_to_camera[:3, :3] @ torch.tensor(point) + cameras.world_to_camera[:3, 3]
    ).tolist()
    fx, fy, cx, cy = cameras.intrinsics.tolist()
    return fx * x / z + cx, fy * y / z + cy, z


def test_from_the_front_world_y_is_right_and_z_is_up():
    front = orbit(torch.tensor(0.0), 0.0, width=64, height=64)
    assert project(front, [0.0, 0.0, 0.0]) == pytest.approx((32, 32, 3))
    assert project(front, [0.0, 0.5, 0.0])[0] > 33 and project(front, [0.0, 0.0, 0.5])[1] < 31
    assert project(front, [0.5, 0.0, 0.0])[2] == pytest.approx(2.5)


def test_the_unit_sphere_just_fits_the_default_orbit():
    camera = orbit(torch.tensor(0.0), 0.0, width=100, height=100)
    tangent_px = camera.intrinsics[1].item() * math.tan(math.asin(1 / 3))
    assert 48 < tangent_px < 50


def test_rays_go_through_pixel_centres_and_have_unit_depth():
    cameras = orbit(torch.tensor([0.3, 2.0]), 0.4, width=7, height=5)
    origins, directions = cameras.rays()
    for row, column in ((0, 0), (4, 6), (2, 3)):
        point = (origins + 2.5 * directions)[1, row, column]
        assert project(cameras[1], point.tolist()) == pytest.approx((column + 0.5, row + 0.5, 2.5), abs=1e-4)


def test_thinned_cameras_have_every_so_manieth_ray():
    cameras = orbit(torch.tensor([0.3, 2.0]), 0.4, width=11, height=7)
    _, full = cameras.rays()
    thin = cameras.thinned(3, torch.tensor([[0, 0], [2, 1]]))
    assert (thin.width, thin.height) == (3, 2)
    _, directions = thin.rays()
    torch.testing.assert_close(directions[0], full[0, 0:6:3, 0:9:3])
    torch.testing.assert_close(directions[1], full[1, 1:7:3, 2:11:3])


def test_closer_cameras_see_a_part_of_a_larger_picture():
    cameras = orbit(torch.tensor([0.3, 2.0]), 0.4, width=12, height=8)
    _, larger = cameras.resized(36, 24).rays()
    _, part = cameras.closer(torch.tensor([3.0, 3.0]), torch.tensor([[0.0, 1.0], [0.25, 0.5]])).rays()
    torch.testing.assert_close(part[0], larger[0, 16:24, 0:12])
    torch.testing.assert_close(part[1], larger[1, 8:16, 6:18])


def test_azimuth_and_elevation_come_back():
    azimuths, elevations = torch.rand(50) * 6 - 3, torch.rand(50) * 2.8 - 1.4
    back = azimuth_elevation(orbit(azimuths, elevations, width=4, height=4))
    torch.testing.assert_close(back, (azimuths, elevations), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("eye", [(0.0, 0.0, 2.0), (0.0, 0.0, -2.0), (1.0, -2.0, 0.5)])
def test_poses_are_rotations_even_straight_up_and_down(eye):
    camera = look_at(torch.tensor(eye), fov_y_rad=0.7, width=4, height=4)
    rotation = camera.world_to_camera[:3, :3]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-6, rtol=0)
    assert torch.det(rotation).item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(camera.centres, torch.tensor(eye), atol=1e-6, rtol=0)


def test_resizing_keeps_the_rays():
    camera = orbit(torch.tensor(0.7), 0.2, width=4, height=4)
    big = camera.resized(12, 12)
    torch.testing.assert_close(big.rays()[1][1::3, 1::3], camera.rays()[1])


def test_a_turntable_goes_once_around_from_the_front():
    azimuths, _ = azimuth_elevation(turntable(8, width=4, height=4))
    torch.testing.assert_close(
        torch.remainder(azimuths + 1e-4, 2 * math.pi), torch.arange(8) * math.pi / 4 + 1e-4
    )
