"""`lift`, `weigh` and `contributors` against their laws and their definitions."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from distill3d.ops import _library, backends
from distill3d.ops.splat import splat
from distill3d.ops.splat_lift import contributors, lift, weigh
from tests.ops.machines import compiled, put, usable
from tests.ops.scenes import gaussians, views


@pytest.fixture(params=usable("splat"), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.fixture(params=compiled("splat"), ids=str)
def kernels(request):
    with request.param.in_use():
        yield request.param


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return put(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), device="cpu"))[0]


def in_double(tensors):
    return [values.double() for values in tensors]


@pytest.mark.parametrize("channels", [1, 8, 70])
def test_lifting_is_the_adjoint_of_drawing(machine, channels):
    *shape, features = gaussians(machine.size(80, 20), channels)
    cameras = views(2)
    maps = random(2, 36, 40, channels)
    drawn = splat(*shape, features, cameras).colours
    lifted, _ = lift(*shape, cameras, maps)
    assert_close((drawn * maps).sum(), (features * lifted).sum(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("channels", [3, 20])
def test_lifting_is_the_gradient_of_drawing(machine, channels):
    *shape, features = gaussians(machine.size(80, 20), channels)
    cameras = views(2)
    maps = random(2, 36, 40, channels)
    features.requires_grad_()
    (gradient,) = torch.autograd.grad(splat(*shape, features, cameras).colours, features, maps)
    assert_close(lift(*shape, cameras, maps)[0], gradient, rtol=1e-4, atol=1e-4)


def test_what_is_the_same_everywhere_is_lifted_as_itself(machine):
    shape, cameras = gaussians(60)[:4], views(2)
    maps = torch.tensor([0.2, -3.0]).expand(2, 36, 40, 2)
    sums, weight = lift(*shape, cameras, maps)
    seen = weight[:, 0] > 1e-3
    assert seen.any()
    assert_close(
        (sums / weight)[seen], torch.tensor([0.2, -3.0]).expand(int(seen.sum()), 2), rtol=1e-4, atol=0
    )


def test_weights_add_up_to_alpha(machine):
    *shape, colours = gaussians(60)
    cameras = views(2)
    alpha = splat(*shape, colours, cameras).alpha
    assert_close(weigh(*shape, cameras).weight.sum(1), alpha.sum((1, 2, 3)), rtol=1e-4, atol=1e-3)


def test_the_contributors_weights_are_the_greatest_and_add_up_to_alpha(machine):
    *shape, colours = gaussians(40)
    cameras = views(2)
    ids, weights = contributors(*shape, cameras, 40)
    assert (weights[..., 1:] <= weights[..., :-1]).all()
    assert ((ids == -1) == (weights == 0)).all()
    assert_close(weights.sum(-1, keepdim=True), splat(*shape, colours, cameras).alpha, rtol=0, atol=1e-5)
    few, _ = contributors(*shape, cameras, 3)
    assert torch.equal(few, ids[..., :3])


def test_the_contributors_are_those_of_the_definition(kernels):
    shape, cameras = gaussians(kernels.size(200, 40))[:4], views(2)
    ids, weights = contributors(*shape, cameras, 4)
    with backends.use("reference"):
        exact_ids, exact = contributors(*in_double(shape), cameras, 4)
    assert_close(weights.double(), exact, rtol=1e-4, atol=2e-4)
    assert (ids != exact_ids).sum() <= 2e-3 * ids.numel()


@pytest.mark.parametrize("channels", [0, 1, 9, 64, 130])
def test_sums_and_counts_are_those_of_the_definition(kernels, channels):
    shape, cameras = gaussians(kernels.size(150, 30))[:4], views(2)
    maps = random(2, 36, 40, channels)
    sums, weight = lift(*shape, cameras, maps)
    counts = weigh(*shape, cameras)
    with backends.use("reference"):
        exact_sums, exact_weight = lift(*in_double(shape), cameras, maps.double())
        exact = weigh(*in_double(shape), cameras)
    assert (sums - exact_sums).norm() <= 3e-4 * exact_sums.norm() + 1e-9
    assert_close(weight.double(), exact_weight, rtol=1e-4, atol=5e-3)
    assert_close(counts.weight.double(), exact.weight, rtol=1e-4, atol=5e-3)
    assert_close(counts.peak.double(), exact.peak, rtol=1e-3, atol=1e-3)
    assert ((counts.pixels - exact.pixels).abs() <= 1).all()


def test_antialiased_weights_are_those_of_the_antialiased_picture(machine):
    *shape, colours = gaussians(40)
    cameras = views(1)
    alpha = splat(*shape, colours, cameras, antialiased=True, blur_px=1.5).alpha
    weight = weigh(*shape, cameras, antialiased=True, blur_px=1.5).weight
    assert_close(weight.sum(), alpha.sum(), rtol=1e-4, atol=1e-3)


def test_no_splats_lift_nothing(machine):
    shape, cameras = gaussians(0)[:4], views(2)
    sums, weight = lift(*shape, cameras, random(2, 36, 40, 5))
    assert sums.shape == (0, 5)
    assert weight.shape == (0, 1)
    ids, weights = contributors(*shape, cameras, 2)
    assert (ids == -1).all()
    assert (weights == 0).all()


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), 0.0])
def test_a_poisoned_splat_has_no_weight(machine, poison):
    shape = gaussians(20)[:4]
    shape[3][19] = poison
    cameras = views(1)
    sums, weight = lift(*shape, cameras, random(1, 36, 40, 10))
    assert sums.isfinite().all()
    assert weight[19] == 0
    assert (contributors(*shape, cameras, 2)[0] != 19).all()


def test_the_same_bits_come_of_any_number_of_threads():
    shape, cameras = gaussians(300)[:4], views(3)
    maps = random(3, 36, 40, 70)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append([*lift(*shape, cameras, maps), *contributors(*shape, cameras, 3)])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("operator", ["splat_weigh", "splat_contributors"])
def test_the_operators_keep_torchs_contracts(operator):
    settings = (*_library.flat(views(2, width=20, height=18)), 20, 18, 0.01, 1e4, 0.3, True)
    rest = (random(2, 18, 20, 3), *settings) if operator == "splat_weigh" else (*settings, 2)
    torch.library.opcheck(
        getattr(torch.ops.distill3d, operator).default,
        ("cpu", *gaussians(12)[:4], *rest),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_maps_may_be_strided_and_of_any_batch():
    shape, cameras = gaussians(20)[:4], views(2)
    maps = random(5, 40, 36, 2).permute(3, 2, 1, 0)
    assert torch.equal(lift(*shape, cameras, maps)[0], lift(*shape, cameras, maps.contiguous())[0])


# Errors


def test_maps_of_another_size_are_refused():
    with pytest.raises((ValueError, TypeError), match="maps"):
        lift(*gaussians(3)[:4], views(2), torch.zeros(2, 36, 41, 3))


def test_maps_in_double_are_refused_by_the_kernels():
    with pytest.raises(TypeError, match="float32"):
        lift(*gaussians(3)[:4], views(1), torch.zeros(1, 36, 40, 1, dtype=torch.float64))


def test_no_contributors_are_refused():
    with pytest.raises(ValueError, match="1 or more"):
        contributors(*gaussians(3)[:4], views(1), 0)
