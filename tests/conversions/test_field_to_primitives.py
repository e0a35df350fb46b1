"""A field and the primitives that are made of it look alike, without any fitting."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

from distill3d import files, sh
from distill3d.conversions._clusters import clusters
from distill3d.conversions._visible import _ends
from distill3d.conversions.field_to_primitives import field_to_primitives, fitted_harmonics
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.rotation import matrix_from_wxyz
from tests.formula import Formula, fog, glossy, likeness, psnr, solid_ball, waves

SCENES = Path(__file__).parents[2] / "scenes"
BALL = Formula(solid_ball(0.6), waves)


@pytest.fixture(scope="module")
def ball() -> Gaussians:
    made = field_to_primitives(BALL, "gaussians", count=1000)
    assert isinstance(made, Gaussians)
    return made


def test_primitives_of_a_ball_lie_on_it_flat_and_show_its_colours(ball):
    assert 900 <= len(ball.means) <= 1000
    distance = (ball.means.norm(dim=-1) - 0.6).abs()
    assert distance.mean() < 0.01 and distance.quantile(0.99) < 0.03
    axes, scales = matrix_from_wxyz(ball.wxyz), ball.log_scales.exp()
    outwards = normalize(ball.means, dim=-1)
    assert (axes[..., 2] * outwards).sum(-1).mean() > 0.99
    assert (scales[:, 2] < 0.5 * scales[:, 0]).float().mean() > 0.9
    assert_close(sh.rgb_from_degree_0(ball.sh[:, 0]), waves(0.6 * outwards), atol=0.12, rtol=0)


@pytest.mark.parametrize(
    ("kind", "source", "least_db"),
    [
        ("gaussians", BALL, 26),
        ("surfels", BALL, 25),
        ("gaussians", Formula(fog, waves), 23),
        ("surfels", Formula(fog, waves), 19),
        ("gaussians", Formula(solid_ball(0.6), glossy, directional=True), 25),
        ("surfels", Formula(solid_ball(0.6), glossy, directional=True), 25),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fields_and_their_primitives_look_alike(kind, source, least_db):
    made = field_to_primitives(source, kind, count=1000)
    assert type(made) is (Gaussians if kind == "gaussians" else Surfels)
    assert psnr(made, source) > least_db


def test_a_learned_field_looks_alike_too():
    source = files.load(SCENES / "turtle.safetensors")
    found = likeness(field_to_primitives(source, "gaussians", count=4000), source)
    assert found.scores.psnr.mean() > 22.5
    assert found.depth_error is not None and found.depth_error < 0.02


def test_gloss_is_lost_without_harmonics():
    source = Formula(solid_ball(0.6), glossy, directional=True)
    constant, quadratic = (field_to_primitives(source, "gaussians", count=800, degree=d) for d in (0, 2))
    assert constant.sh.shape[1] == 1 and quadratic.sh.shape[1] == 9
    assert psnr(quadratic, source) > psnr(constant, source) + 3


def test_opacity_is_the_light_that_a_layer_takes():
    """Optical depths are in proportion to the density, in a fog so thin that it hides nothing."""
    thin, thinner = (
        field_to_primitives(Formula(lambda x, k=k: k * fog(x), waves), "gaussians", count=500)
        for k in (0.2, 0.1)
    )
    depths = [-(1 - made.opacity_logits.sigmoid()).log() for made in (thin, thinner)]
    assert_close(depths[0].amax() / depths[1].amax(), torch.tensor(2.0), rtol=0.25, atol=0)


def test_light_ends_by_the_law_of_beer_and_lambert():
    """In an even fog of density σ depths are exponential, with the mean 1/σ; exp(-σ L) gets through."""
    sigma, rays = 3.0, 20000
    field = Formula(lambda x: torch.full_like(x[:, 0], sigma), waves, samples=256)
    origins = torch.tensor([0.01, 0.02, -2.0]).expand(rays, 3)
    directions = torch.tensor([0.0, 0, 2]).expand(rays, 3)
    ends = _ends(field, origins, directions, torch.Generator().manual_seed(0))
    assert len(ends) / rays == pytest.approx(1 - math.exp(-2 * sigma), abs=0.01)
    mean = 1 / sigma - 2 * math.exp(-2 * sigma) / (1 - math.exp(-2 * sigma))
    assert float((ends[:, 2] + 1).mean()) == pytest.approx(mean, rel=0.02)
    assert_close(ends[:, :2], origins[: len(ends), :2])


def test_harmonics_are_recovered_from_colours_in_enough_directions():
    generator = torch.Generator().manual_seed(0)
    directions = normalize(torch.randn(200, 3, generator=generator), dim=-1)
    wanted = 0.1 * torch.randn(7, 9, 3, generator=generator)
    colours = torch.stack([sh.radiance(wanted, d.expand(7, 3)) for d in directions], 1)
    found = fitted_harmonics(directions, colours, torch.ones(7, 200), 2)
    assert_close(found, wanted, atol=0.01, rtol=0.05)


def test_clusters_have_points_and_hardly_fewer_than_wanted():
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0))
    found = clusters(points, 300, torch.Generator().manual_seed(1))
    assert 250 < len(found) <= 300 and found.sizes.min() >= 1 and found.sizes.sum() == 4000
    assert_close((found.mean(points) * found.sizes[:, None]).sum(0), points.sum(0))
    spread = (points - found.mean(points)[found.of]).norm(dim=-1).mean()
    assert spread < 0.6 * 300 ** (-1 / 3), "about half the side of a cube for each"


def test_the_same_seed_gives_the_same_bits_and_the_world_is_kept():
    source = Formula(solid_ball(0.4), waves)
    source.scene_transform[:3, 3] = torch.tensor([1.0, 2, 3])
    one, other = (field_to_primitives(source, "surfels", count=200, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert torch.equal(one["scene_transform"], source.scene_transform)


def test_an_empty_field_and_impossible_counts_are_sentences():
    nothing = Formula(lambda x: torch.zeros_like(x[:, 0]), waves)
    with pytest.raises(ValueError, match=r"^Formula shows next to nothing .* render it first$"):
        field_to_primitives(nothing, "gaussians", count=100)
    for wrong in ({"count": 0}, {"count": 10, "degree": 4}):
        with pytest.raises(ValueError, match="expected 1 or more and 0 to 3"):
            field_to_primitives(BALL, "gaussians", **wrong)
