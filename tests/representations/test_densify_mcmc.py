"""Relocation leaves pictures as they were, noise moves what can hardly be seen, and growth has its limit."""

import pytest
import torch
from torch.testing import assert_close

from distill3d.camera import look_at, orbit
from distill3d.representations import _densify_mcmc
from distill3d.representations._densify_mcmc import NOISE, relocate, share
from distill3d.representations._primitives import LEARNED
from distill3d.representations.gaussians import Gaussians
from distill3d.representations.surfels import Surfels
from distill3d.scene import Seen

CAMERAS = orbit(torch.tensor([0.3, 1.7]), 0.2, width=32, height=32)
COPIES = torch.tensor([1, 2, 3, 8, 50])


def started(kind, *, count=40, limit=60):
    """A scene that relocates, with an optimizer that has taken a step."""
    scene = kind.from_photographs(Seen(CAMERAS), count=count, limit=limit, opacity=0.5, densify="mcmc")
    optimizer = torch.optim.Adam(scene.param_groups())
    scene.render(CAMERAS).rgb[:, :, :16].sum().backward()
    optimizer.step()
    return scene, optimizer


@pytest.mark.parametrize("opacity", [0.01, 0.3, 0.9, 0.999])
def test_copies_together_are_as_opaque_as_the_one_was(opacity):
    each, _ = share(torch.full((5,), opacity), COPIES)
    assert_close(1 - (1 - each.double()) ** COPIES, torch.full((5,), opacity).double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("opacity", [0.01, 0.3, 0.9, 0.999])
def test_along_a_line_copies_together_cover_as_much_as_the_one_did(opacity):
    x = torch.linspace(-12, 12, 20001).double()
    each, factor = (values.double() for values in share(torch.full((5,), opacity), COPIES))
    falloff = torch.exp(-0.5 * (x / factor[:, None]) ** 2)
    together = 1 - (1 - each[:, None] * falloff) ** COPIES[:, None]
    one = opacity * torch.exp(-0.5 * x**2)
    assert_close(together.sum(1), one.sum().expand(5), rtol=1e-4, atol=0)


def test_one_copy_is_the_one():
    each, factor = share(torch.tensor([0.2, 0.7]), torch.tensor([1, 1]))
    assert_close(each, torch.tensor([0.2, 0.7]))
    assert_close(factor, torch.ones(2))


def of_one(kind, opacity, scale):
    """A kind's scene of one primitive, whole and as eight copies, and as eight that share nothing."""

    def made(count, opacity, scale):
        size = torch.tensor([0.3, 0.2, 0.25])[: kind.start().log_scales.shape[1]]
        return kind(
            torch.tensor([[0.0, 0.0, 0.1]]).repeat(count, 1),
            torch.tensor([[1.0, 0.2, 0.1, 0.0]]).repeat(count, 1),
            (size * scale).log().repeat(count, 1),
            torch.logit(torch.tensor(opacity)).repeat(count),
            torch.zeros(count, 1, 3),
        )

    each, factor = share(torch.tensor([opacity]), torch.tensor([8]))
    return made(1, opacity, scale), made(8, each.item(), scale * factor.item()), made(8, opacity, scale)


@pytest.mark.parametrize("kind", [Gaussians, Surfels])
def test_copies_are_drawn_like_the_one(kind):
    camera = look_at(torch.tensor([[0.0, -0.5, 3.0]]), fov_y_rad=0.6, width=48, height=48)
    with torch.no_grad():
        one, shared, unshared = (scene.render(camera).rgb for scene in of_one(kind, 0.7, 1.0))
    assert (one - shared).abs().max() < 0.06 < 0.15 < (one - unshared).abs().max()
    assert_close(shared.max(), one.max(), rtol=0, atol=2e-3)


@pytest.mark.parametrize("kind", [Gaussians, Surfels])
def test_the_dead_move_to_the_living_and_the_picture_hardly_changes(kind):
    scene, optimizer = started(kind, limit=40)
    with torch.no_grad():
        scene.opacity_logits[:10] = -9
        labels = torch.arange(40.0)
        scene.sh[:, 0, 0] = 0.1 * labels
        before = scene.render(CAMERAS).alpha
        relocate(scene, optimizer, torch.Generator().manual_seed(0))
        after = scene.render(CAMERAS).alpha
    came_from = (scene.sh[:, 0, 0] / 0.1).round().long()
    assert len(came_from) == 40 and came_from.min() >= 10
    assert torch.equal(came_from[10:], torch.arange(10, 40)), "the living stay"
    assert (scene.opacity_logits.sigmoid() > 0.005).all()
    assert (before - after).abs().mean() < 0.02
    copied = torch.isin(came_from, came_from[:10])
    moments = optimizer.state[scene.sh]["exp_avg"]
    assert (moments[copied] == 0).all() and (moments[~copied] != 0).any()
    ours = {id(p) for p in scene.parameters()}
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == ours
    scene.render(CAMERAS).rgb.sum().backward()
    optimizer.step()


def test_a_twentieth_is_born_in_a_round_until_the_limit():
    scene, optimizer = started(Gaussians)
    generator = torch.Generator().manual_seed(0)
    counts = []
    with torch.no_grad():
        for _ in range(12):
            relocate(scene, optimizer, generator)
            counts.append(len(scene.means))
    assert counts[:3] == [42, 44, 46] and counts[-1] == 60


def test_nothing_happens_to_a_scene_that_is_dead_altogether():
    scene, optimizer = started(Gaussians)
    with torch.no_grad():
        scene.opacity_logits.fill_(-9)
        before = scene.means.clone()
        relocate(scene, optimizer, torch.Generator())
    assert torch.equal(before, scene.means)


def test_noise_is_shaped_like_the_covariance_and_spares_the_opaque():
    count = 4000
    scales = torch.tensor([0.1, 0.05, 0.02])
    scene = Gaussians(
        torch.zeros(count, 3),
        torch.tensor([[1.0, 0, 0, 0]]).repeat(count, 1),
        scales.log().repeat(count, 1),
        torch.cat([torch.full((count // 2,), -12.0), torch.zeros(count // 2)]),
        torch.zeros(count, 1, 3),
        relocates=True,
    )
    optimizer = torch.optim.Adam([{"name": "means", "params": [scene.means], "lr": 1e-4}])
    with torch.no_grad():
        _densify_mcmc._shake(scene, optimizer, torch.Generator().manual_seed(0))
    clear, opaque = scene.means[: count // 2], scene.means[count // 2 :]
    full = torch.sigmoid(torch.tensor(0.5))  # of k (1 - t) where the opacity is zero
    assert_close(clear.std(0), NOISE * 1e-4 * full * scales**2, rtol=0.1, atol=0)
    assert opaque.abs().max() < 1e-12


@pytest.mark.parametrize("kind", [Gaussians, Surfels])
def test_the_penalty_lets_what_is_not_needed_die(kind):
    scene, _ = started(kind)
    scene.zero_grad()
    _densify_mcmc.penalty(scene).backward()
    assert (scene.opacity_logits.grad > 0).all() and (scene.log_scales.grad > 0).all()


def test_a_scene_that_relocates_knows_it_after_a_rest():
    scene, _ = started(Gaussians)
    again = Gaussians.from_state(scene.state_dict())
    assert again.relocates and again.photographed and int(again.limit) == 60
    assert all(torch.equal(getattr(again, name), getattr(scene, name)) for name in LEARNED)
