"""Scenes and priors that show normals as colours."""

from __future__ import annotations

import pytest
import torch

from distill3d.camera import turntable
from distill3d.prior import clean_from_noise
from distill3d.priors.blob import Blob
from distill3d.priors.exact import Exact
from distill3d.priors.rectified import Rectified
from distill3d.rendering import Rendering
from distill3d.representations.mesh import Mesh
from distill3d.unpainted import Unpainted, as_normals
from distill3d.world.grammar import describe
from distill3d.world.model import instance


def test_a_ball_shows_the_side_that_one_looks_at() -> None:
    """In the middle of a picture from +x stands the normal +x, as the colour (1, ½, ½)."""
    ball = Unpainted(Mesh.start(subdivisions=3))
    with torch.no_grad():
        picture = ball.render(turntable(1, elevation_rad=0.0, width=17, height=17))
    assert (picture.rgb[0, 8, 8] - torch.tensor([1.0, 0.5, 0.5])).abs().max() < 0.05
    assert picture.rgb[0, 0, 0].abs().max() == 0 and picture.alpha[0, 8, 8] == 1


def test_normals_have_to_be_asked_for() -> None:
    with pytest.raises(ValueError, match="no normals in this rendering"):
        as_normals(Rendering(torch.zeros(1, 2, 2, 3), torch.ones(1, 2, 2, 1)))


@pytest.mark.parametrize("kind", [Exact, Rectified])
def test_the_exact_prior_of_normals_knows_the_worlds_normals(kind: type[Exact]) -> None:
    """With little noise the clean picture in a noised one of the world's normals is that one itself."""
    prior = kind(instances=1, stations=6, view_prompts=False)
    cameras = prior.stations_at(12, 12)
    model = instance(describe("a red cup"), 0)
    white, t = torch.ones(6, 3), torch.full((6,), 0.03)
    condition = prior.condition("a red cup", cameras, white)
    errors = {}
    for name, asked in (("normals", prior.of_normals()), ("colours", prior)):
        x = asked.show(as_normals(model.render(cameras)), condition)
        alpha, sigma = asked.alpha_sigma(t)
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
        x_t = alpha[:, None, None, None] * x + sigma[:, None, None, None] * noise
        clean = clean_from_noise(asked.noise(x_t, t, condition), x_t, alpha, sigma)
        errors[name] = (clean - x).abs().mean().item()
    assert errors["normals"] < 0.05 < errors["colours"]
    assert type(prior.of_normals()) is kind


def test_a_prior_that_is_a_network_is_shown_normals_like_other_pictures() -> None:
    prior = Blob()
    assert prior.of_normals() is prior
