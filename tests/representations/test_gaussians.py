"""Growing and pruning, what is penalised, and where the surface of a Gaussian is."""

import math

import pytest
import torch
from torch.testing import assert_close

from distill3d.camera import orbit
from distill3d.moment import Moment
from distill3d.representations._primitives import LEARNED
from distill3d.representations.gaussians import Gaussians


def pulled(scene, optimizer):
    """One step of an optimizer, so that there are moments and a pull."""
    picture = scene.render(orbit(torch.tensor([0.3, 1.7]), 0.2, width=16, height=16))
    optimizer.zero_grad()
    picture.rgb[:, :, :8].sum().backward()
    optimizer.step()


def test_growing_splits_prunes_and_keeps_the_moments_in_line():
    scene = Gaussians.start(count=100, limit=130)
    with torch.no_grad():
        scene.opacity_logits[:10] = -6
        scene.sh[:, 0, 0] = torch.arange(100)
    optimizer = torch.optim.Adam(scene.param_groups())
    pulled(scene, optimizer)
    before = optimizer.state[scene.sh]["exp_avg"].clone()
    with torch.no_grad():
        scene.grow(100, 200, optimizer, torch.Generator())
    labels = scene.sh[:, 0, 0].round().long()
    assert len(scene.means) == 90 + 20 and labels.min() >= 10
    assert {id(p) for g in optimizer.param_groups for p in g["params"]} == {id(p) for p in scene.parameters()}
    moments = optimizer.state[scene.sh]["exp_avg"]
    torch.testing.assert_close(moments[:70], before[labels[:70]])
    assert (moments[70:] == 0).all() and (labels[70:].bincount()[labels[70:]] == 2).all()
    pulled(scene, optimizer)


def test_a_split_keeps_place_and_size_on_average():
    scene = Gaussians.start(count=20, limit=40, radius=0.4)
    optimizer = torch.optim.Adam(scene.param_groups())
    pulled(scene, optimizer)
    with torch.no_grad():
        scene.log_scales[:, 2] += 1
        scene.wxyz[:] = torch.tensor([1.0, 0, 0, 0])
        scene.sh[:, 0, 0] = torch.arange(20)
    parents = {name: getattr(scene, name).detach().clone() for name in LEARNED}
    with torch.no_grad():
        scene.grow(100, 200, optimizer, torch.Generator())
    labels = scene.sh[:, 0, 0].round().long()
    assert len(labels) == 40
    for label in range(20):
        twins = labels == label
        torch.testing.assert_close(scene.means[twins].mean(0), parents["means"][label])
        apart = scene.means[twins].diff(dim=0)[0].abs()
        assert apart[2] > 0 and apart[:2].max() < 1e-6


def test_never_more_than_the_limit():
    scene = Gaussians.start(count=50, limit=60)
    optimizer = torch.optim.Adam(scene.param_groups())
    for step in range(10, 150, 5):
        pulled(scene, optimizer)
        with torch.no_grad():
            scene.grow(step, 200, optimizer, torch.Generator())
        assert len(scene.means) <= 60
    assert len(scene.means) > 50


def test_for_a_score_a_gaussian_is_to_be_opaque_or_nothing():
    """Twice what opacities over 0.1 lack of one, as a mean over all."""
    scene, cameras = Gaussians.start(count=4), orbit(torch.tensor([0.0]), 0.0, width=4, height=4)
    with torch.no_grad():
        scene.opacity_logits.copy_(torch.logit(torch.tensor([0.05, 0.5, 0.9, 0.99])))
    penalty = scene.penalty(cameras, scene.render(cameras), Moment(1, 1, torch.Generator()))
    assert penalty is not None
    assert_close(penalty, torch.tensor(2 * (0.5 + 0.1 + 0.01) / 4))
    (pull,) = torch.autograd.grad(penalty, scene.opacity_logits)
    assert pull[0] == 0 and (pull[1:] < 0).all()


@pytest.mark.parametrize(("opacity", "reach"), [(0.3, 0.0), (0.9, math.sqrt(2 * math.log(1.8)))])
def test_the_depth_of_a_gaussian_is_that_of_its_silhouette(opacity: float, reach: float):
    """Of the ellipsoid on which o exp(-r² / 2) = 1/2, along the axis of sight; of its centre if none is."""
    cameras, sizes = orbit(torch.tensor([0.0]), 0.0, width=9, height=9), torch.tensor([[0.2, 0.1, 0.3]])
    scene = Gaussians(
        torch.zeros(1, 3),
        torch.tensor([[1.0, 0, 0, 0]]),
        sizes.log(),
        torch.logit(torch.tensor([opacity])),
        torch.zeros(1, 1, 3),
    )
    seen = scene.render(cameras, want=("rgb", "alpha", "depth"))
    found = (seen.depth / seen.alpha)[0, 4, 4, 0]
    assert_close(found, cameras.centres.norm() - 0.2 * reach, atol=1e-4, rtol=0)
