"""Texels take the colours that a field shows from right above, and surfaces come from its density alone."""

from __future__ import annotations

import pytest
import torch
import trimesh
from torch import Tensor
from torch.nn.functional import normalize
from torch.testing import assert_close

from distill3d.conversions._squarely import squarely
from distill3d.conversions._texels import Texels
from distill3d.conversions.scene_to_textured_mesh import scene_to_textured_mesh
from distill3d.field import Field
from tests.formula import Formula, glossy, psnr, solid_ball, waves

CENTRE = torch.tensor([0.2, -0.1, 0.1])


def moved_ball(x: Tensor) -> Tensor:
    return solid_ball(0.4)(x - CENTRE)


def texels(count: int = 400, radius: float = 0.4, out: float = 1.0) -> Texels:
    """On a ball around the origin of the texels, which is the field's centre."""
    points = normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    return Texels(64, torch.arange(count), radius * points, out * points)


def test_colours_are_the_field_s_at_its_surface() -> None:
    field = Formula(moved_ball, waves, samples=256)
    places = texels()
    found = squarely(field, places, CENTRE, off=0.02)
    assert_close(found, waves(places.points + CENTRE), rtol=0, atol=0.03)


def test_they_are_seen_from_above() -> None:
    """Where a ball is looked at squarely, `glossy` has its brightest colour everywhere."""
    field = Formula(solid_ball(0.4), glossy, directional=True, samples=256)
    found = squarely(field, texels(), torch.zeros(3), off=0.02)
    assert_close(found, torch.tensor([0.8, 0.4, 0.3]).expand(400, 3), rtol=0, atol=0.01)


def test_a_surface_that_is_a_little_off_has_the_same_colours_and_what_shows_nothing_the_nearest() -> None:
    field = Formula(solid_ball(0.4), waves, samples=256)
    right = squarely(field, texels(), torch.zeros(3), off=0.02)
    assert_close(squarely(field, texels(radius=0.415), torch.zeros(3), off=0.02), right, rtol=0, atol=0.06)
    half = texels()
    half.points[:200] += 2.0
    found = squarely(field, half, torch.zeros(3), off=0.02)
    assert_close(found[200:], right[200:])
    assert all((found[200:] == one).all(1).any() for one in found[:200])


def test_where_nothing_is_met_at_all_there_is_no_colour() -> None:
    field = Formula(solid_ball(0.4), waves, samples=64)
    with pytest.raises(ValueError, match="shows nothing at the surface"):
        squarely(field, texels(radius=0.8), torch.zeros(3), off=0.02)


def test_a_field_becomes_a_mesh_without_a_question_for_every_pixel() -> None:
    """Asked for density at grid points and for colour at texels, and not at all samples of all rays."""
    asked = []

    class Counted(Formula):
        def query(self, x: Tensor, d: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
            asked.append(len(x))
            return super().query(x, d)

    field = Counted(moved_ball, waves, samples=128)
    asked.clear()
    mesh = scene_to_textured_mesh(field, triangles=600, texture_px=128, resolution=40, views=24)
    assert isinstance(field, Field) and sum(asked) < 2 * 80**3
    shape = mesh.as_trimesh()
    assert isinstance(shape, trimesh.Trimesh)
    assert torch.tensor(shape.bounds.mean(0)).sub(CENTRE).abs().max() < 0.02
    assert psnr(mesh, field) > 27
