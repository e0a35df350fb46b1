"""Splats as a field: rays lose as much light to it, and see the same colours."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from distill3d import files
from distill3d.camera import look_at
from distill3d.conversions._splat_field import SplatField, _Splats, _spread, dilogarithm
from distill3d.conversions.between_primitives import to_surfels
from distill3d.conversions.field_of import field_of
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.rotation import wxyz_between
from distill3d.sh import degree_0_from_rgb
from tests.conversions.test_moved import scene
from tests.formula import psnr

SCENES = Path(__file__).parents[2] / "scenes"


def splats(count: int = 1, *, scales=(0.15, 0.15, 0.15), opacity=0.6, spread=0.0) -> Gaussians:
    """Some of one size, red, of which each shows its number in green."""
    generator = torch.Generator().manual_seed(0)
    rgb = torch.stack([torch.full((count,), 0.8), torch.linspace(0, 1, count), torch.zeros(count)], 1)
    return Gaussians(
        spread * torch.randn(count, 3, generator=generator).clamp(-1, 1),
        torch.randn(count, 4, generator=generator),
        torch.tensor(scales).log().repeat(count, 1),
        torch.logit(torch.full((count,), opacity)),
        degree_0_from_rgb(rgb)[:, None],
    )


def depth_of(source, eye=(3.0, 0.4, 0.2), size: int = 160) -> float:
    """The mean optical depth of a picture."""
    camera = look_at(torch.tensor(eye), fov_y_rad=0.6, width=size, height=size)
    with torch.no_grad():
        return float(-torch.log1p(-source.render(camera).alpha.clamp_max(0.9999)).mean())


def test_the_dilogarithm_has_the_values_that_euler_found():
    x = torch.tensor([0.0, 0.5, 0.999999])
    known = torch.tensor([0.0, math.pi**2 / 12 - math.log(2) ** 2 / 2, math.pi**2 / 6])
    assert_close(dilogarithm(x), known, atol=2e-5, rtol=0)
    y = torch.linspace(1e-4, 0.99, 2000, dtype=torch.float64)
    integral = torch.cumulative_trapezoid(-torch.log1p(-y) / y, y)
    assert_close(dilogarithm(y)[1:] - dilogarithm(y)[0], integral, atol=1e-5, rtol=0)


@pytest.mark.parametrize("opacity", [0.2, 0.6, 0.95])
@pytest.mark.parametrize("radius", [0.05, 0.15])
def test_a_ball_takes_the_same_light_from_everywhere(opacity, radius):
    source = splats(scales=(radius,) * 3, opacity=opacity)
    field = SplatField.of(source, resolution=64)
    for eye in ((3.0, 0.4, 0.2), (-1.0, 2.0, 2.0)):
        assert depth_of(field, eye) == pytest.approx(depth_of(source, eye), rel=0.06)


def test_a_disc_takes_the_same_light_when_seen_squarely():
    source = splats(scales=(0.2, 0.15, 0.01), opacity=0.7)
    source.wxyz.data = torch.tensor([[math.sqrt(0.5), 0, math.sqrt(0.5), 0]])  # its normal looks along x
    for flat in (source, to_surfels(source)):
        field = SplatField.of(flat, resolution=80)
        assert depth_of(field, (3.0, 0, 0)) == pytest.approx(depth_of(flat, (3.0, 0, 0)), rel=0.08)


def test_optical_depths_add_up():
    source = splats(12, spread=0.4, scales=(0.1, 0.1, 0.1), opacity=0.5)
    assert depth_of(SplatField.of(source, resolution=64)) == pytest.approx(depth_of(source), rel=0.06)


def test_all_of_a_splat_is_in_the_grid_however_small_it_is():
    source = scene(Gaussians)
    source.means.data *= 0.3
    source.log_scales.data -= 2
    for resolution in (24, 40):
        shares = torch.zeros(40)
        for of, _, share in _spread(_Splats.of(source, 2 / (resolution - 1)), resolution):
            shares.index_add_(0, of, share)
        assert_close(shares, torch.ones(40))


def test_colours_are_those_of_the_splat_that_takes_the_light_and_not_darker_at_its_rim():
    source = splats(2, scales=(0.1, 0.1, 0.1), opacity=0.9)
    source.means.data = torch.tensor([[-0.5, 0, 0], [0.5, 0, 0]])
    field = SplatField.of(source, resolution=48)
    points = torch.tensor([[-0.5, 0, 0], [-0.35, 0.05, 0.02], [0.5, 0, 0], [0.31, 0, 0.1]])
    _, rgb, _ = field.query(points, None)
    assert_close(rgb, torch.tensor([[0.8, 0, 0]] * 2 + [[0.8, 1.0, 0]] * 2), atol=1e-3, rtol=0)


def test_harmonics_are_kept_and_can_be_cut():
    source = files.load(SCENES / "knot.ply")
    whole, plain = (SplatField.of(source, resolution=72, degree=degree) for degree in (3, 0))
    assert whole.directional and not plain.directional and plain.colours.shape[1] == 1
    best = psnr(whole, source)
    assert best > 18 and best > psnr(plain, source) + 0.3


def test_splats_and_their_field_look_alike():
    source = files.load(SCENES / "castle.ply")
    assert psnr(SplatField.of(source, resolution=96), source) > 23


def test_all_that_is_dense_is_occupied():
    source = splats(30, spread=0.5, scales=(0.02, 0.02, 0.02), opacity=0.9)
    for resolution in (32, 100):
        field = SplatField.of(source, resolution=resolution)
        points = 2 * torch.rand(200000, 3, generator=torch.Generator().manual_seed(0)) - 1
        points = points[points.norm(dim=-1) < 0.99]
        cell = ((points + 1) * field.remembered.shape[0] / 2).long()
        met = field.remembered[cell[:, 2], cell[:, 1], cell[:, 0]]
        assert (met >= field.log_density(points).exp() - 1e-3).all()
        assert field.occupied.float().mean() < 0.5


def test_the_world_is_kept_and_what_cannot_be_is_a_sentence():
    source = splats(3)
    source.scene_transform[:3, 3] = torch.tensor([1.0, 2, 3])
    assert torch.equal(SplatField.of(source, resolution=8).scene_transform, source.scene_transform)
    source.means.data += 5
    with pytest.raises(ValueError, match="none can be seen in the unit ball"):
        SplatField.of(source, resolution=8)
    with pytest.raises(ValueError, match="2 or more grid points"):
        SplatField.of(source, resolution=1)


def test_an_opaque_shell_of_surfels_becomes_hardly_larger():
    """What is widened on a grid must not show: light that passes a shell passes the field too."""
    generator = torch.Generator().manual_seed(0)
    out = torch.nn.functional.normalize(torch.randn(1500, 3, generator=generator), dim=-1)
    size = torch.full((1500, 2), 0.04)
    wxyz = wxyz_between(torch.tensor([0.0, 0, 1]), out)
    shell = Surfels(0.5 * out, wxyz, size.log(), torch.full((1500,), 4.0), torch.zeros(1500, 1, 3))
    cameras = look_at(torch.tensor([3.0, 0, 0]), fov_y_rad=0.6, width=96, height=96)
    with torch.no_grad():
        ours, theirs = (float(s.render(cameras).alpha.mean()) for s in (field_of(shell), shell))
    assert 0.5 * (math.sqrt(ours / theirs) - 1) < 0.004, "in world units; a pixel is 0.02"
