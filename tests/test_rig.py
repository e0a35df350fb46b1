"""Training cameras."""

import math

import pytest
import torch

from distill3d.camera import azimuth_elevation, turntable
from distill3d.moment import Moment
from distill3d.rig import Rig, Snapped


def draw(rig, views, seed=0):
    return rig.cameras(Moment(1, 1, torch.Generator().manual_seed(seed)), views=views, width=8, height=6)


def test_azimuths_are_one_in_each_slice_of_the_circle():
    azimuths, _ = azimuth_elevation(draw(Rig(), 8))
    gaps = torch.remainder(azimuths.roll(-1) - azimuths, 2 * math.pi)
    assert (gaps > 0).all() and gaps.max() < 2 * 2 * math.pi / 8
    torch.testing.assert_close(gaps.sum(), torch.tensor(2 * math.pi))


def test_elevations_are_uniform_in_area():
    _, elevations = azimuth_elevation(draw(Rig(elevation_min_deg=-30.0, elevation_max_deg=90.0), 4000))
    heights = elevations.sin()
    assert heights.min() >= -0.5 - 1e-5 and heights.max() <= 1 + 1e-5
    assert heights.mean().item() == pytest.approx(0.25, abs=0.03)


def test_cameras_look_at_the_origin_from_the_radius():
    cameras = draw(Rig(radius=2.5), 5)
    torch.testing.assert_close(cameras.centres.norm(dim=-1), torch.full((5,), 2.5))
    assert (cameras.world_to_camera[:, :2, 3].abs() < 1e-5).all()


@pytest.mark.parametrize(
    "wrong", [{"elevation_min_deg": 50.0, "elevation_max_deg": 20.0}, {"radius": 0.5}, {"fov_y_deg": 180.0}]
)
def test_impossible_rigs_are_refused_with_a_sentence(wrong):
    with pytest.raises(ValueError, match="expected"):
        Rig(**wrong)


def six(width, height):
    """Six stations around the object."""
    return turntable(6, width=width, height=height)


def nowhere(width, height):
    """A prior that knows pictures from everywhere."""


def test_a_snapped_rig_gives_the_nearest_stations_and_nothing_else():
    rig, stations = Rig(), six(8, 6)
    drawn, snapped = draw(rig, 50), draw(Snapped(rig, six), 50)
    assert (snapped.width, snapped.height) == (8, 6)
    nearest = torch.cdist(drawn.centres, stations.centres).argmin(-1)
    assert torch.equal(snapped.world_to_camera, stations.world_to_camera[nearest])
    assert torch.equal(snapped.intrinsics, stations.intrinsics[nearest])
    assert len(nearest.unique()) == 6


def test_only_the_direction_decides_which_station_is_nearest():
    far = draw(Snapped(Rig(radius=5.0), six), 20)
    assert torch.equal(far.world_to_camera, draw(Snapped(Rig(), six), 20).world_to_camera)


def test_a_rig_goes_among_the_stations_if_there_are_any_and_it_may():
    rig, free = Rig(), Rig(snap=False)
    assert rig.among(six) == Snapped(rig, six)
    assert rig.among(nowhere) is rig
    assert free.among(six) is free
