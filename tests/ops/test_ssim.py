"""`ssim` against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.testing import assert_close

from distill3d.ops import backends
from distill3d.ops.ssim import ssim, ssim_inside, ssim_map
from tests.ops.machines import compiled, put, usable

HERE = Path(__file__).parent
SHAPES = [(1, 1, 1, 1), (2, 7, 5, 3), (1, 23, 40, 1), (1, 90, 50, 3), (2, 13, 17, 2), (1, 6, 9, 37)]


@pytest.fixture(params=usable("ssim", "d3d_ssim"), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.fixture(params=compiled("ssim", "d3d_ssim"), ids=str)
def kernels(request):
    with request.param.in_use():
        yield request.param


def pictures(*shape: int, seed: int = 0) -> list[Tensor]:
    """A picture, and another that is like it in places."""
    generator = torch.Generator().manual_seed(seed)
    first, noise, share = (torch.rand(shape, generator=generator, device="cpu") for _ in range(3))
    return put(first, first + share * (noise - first))


def definition(a: Tensor, b: Tensor) -> Tensor:
    with backends.use("reference"):
        return ssim_map(a.double(), b.double())


# Laws


def test_a_picture_is_like_itself(machine):
    a, _ = pictures(2, 20, 30, 3)
    assert_close(ssim(a, a), torch.ones(2).to(a), rtol=0, atol=2e-6)
    if machine.backend != "reference":
        assert (ssim_map(a, a) == 1).all()


def test_likeness_is_mutual(machine):
    a, b = pictures(2, 20, 30, 3)
    assert_close(ssim_map(a, b), ssim_map(b, a), rtol=0, atol=2e-6)


def test_nothing_is_more_alike_than_equal(machine):
    a, b = pictures(1, 40, 40, 3)
    assert ssim_map(a, b).abs().max() <= 1 + 1e-6
    assert 0 < ssim(a, b).item() < ssim(a, 0.9 * a + 0.1 * b).item() < 1


def test_a_negative_is_unlike(machine):
    a, _ = pictures(1, 30, 30, 1)
    assert ssim_inside(a, 1 - a).item() < 0


def test_flat_pictures_differ_by_their_light_alone(machine):
    a, b = torch.full((1, 30, 30, 1), 0.3), torch.full((1, 30, 30, 1), 0.6)
    expected = (2 * 0.3 * 0.6 + 1e-4) / (0.3**2 + 0.6**2 + 1e-4)
    assert ssim_inside(a, b).item() == pytest.approx(expected, abs=5e-4)


def test_turning_or_mirroring_both_pictures_changes_nothing(machine):
    a, b = pictures(1, 21, 34, 3)
    whole = ssim_map(a, b)
    for move in (lambda x: x.flip(1), lambda x: x.flip(2), lambda x: x.transpose(1, 2)):
        assert_close(ssim_map(move(a), move(b)), move(whole), rtol=0, atol=1e-5)


def test_channels_and_pictures_are_compared_one_by_one(machine):
    a, b = pictures(3, 15, 18, 4)
    together = ssim_map(a, b)
    for view in range(3):
        for channel in range(4):
            part = (view, ..., slice(channel, channel + 1))
            assert_close(ssim_map(a[part], b[part]), together[part], rtol=0, atol=1e-5)


def test_any_batch_shape_is_kept(machine):
    a, b = pictures(6, 12, 13, 3)
    in_two = ssim(a.reshape(2, 3, 12, 13, 3), b.reshape(2, 3, 12, 13, 3))
    assert in_two.shape == (2, 3)
    assert_close(in_two.flatten(), ssim(a, b))
    assert_close(ssim(a[0], b[0]), ssim(a, b)[0])
    assert ssim(a[:0], b[:0]).shape == (0,)


def test_inside_the_picture_it_is_what_scikit_image_says(machine):
    a, b = pictures(1, 37, 45, 3)
    _, whole = structural_similarity(
        a[0].cpu().numpy(),
        b[0].cpu().numpy(),
        channel_axis=-1,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    expected = torch.tensor(whole)[5:-5, 5:-5]
    assert_close(ssim_map(a, b)[0, 5:-5, 5:-5].cpu(), expected, rtol=0, atol=2e-5)
    assert ssim_inside(a, b).item() == pytest.approx(expected.mean().item(), abs=2e-6)


# Against the definition in float64


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_maps_are_those_of_the_definition(machine, shape):
    a, b = pictures(*shape)
    assert_close(ssim_map(a, b).double(), definition(a, b), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_are_those_of_the_definition(kernels, shape):
    a, b = (picture.requires_grad_() for picture in pictures(*shape))
    by_map = torch.randn(shape, generator=torch.Generator().manual_seed(1), device="cpu").to(a)
    ours = torch.autograd.grad(ssim_map(a, b), (a, b), by_map)
    exact = torch.autograd.grad(definition(a, b), (a, b), by_map.double())
    for one, other in zip(ours, exact, strict=True):
        assert (one.double() - other).norm() <= 1e-5 * other.norm() + 1e-7


def test_the_gradient_can_be_asked_for_one_picture_alone(kernels):
    a, b = pictures(1, 12, 14, 3)
    a.requires_grad_()
    (alone,) = torch.autograd.grad(ssim_inside(a, b).sum(), a)
    b.requires_grad_()
    both = torch.autograd.grad(ssim_inside(a, b).sum(), (a, b))
    assert torch.equal(alone, both[0])


def test_the_definitions_own_gradient_is_its_derivative():
    a, b = (picture.double().requires_grad_() for picture in pictures(1, 5, 6, 2))
    with backends.use("reference"):
        assert torch.autograd.gradcheck(ssim_map, (a, b))


def test_gradients_of_the_maths_in_double_are_derivatives(tmp_path):
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    include = HERE.parents[1] / "cuda" / "include"
    program = tmp_path / "gradients"
    command = [compiler, "-std=c++17", "-O1", "-march=native", "-Wno-psabi", f"-I{include}"]
    subprocess.run([*command, str(HERE / "gradients_ssim.cpp"), "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert "compared 120 derivatives" in result.stdout


# Poison: windows that hold it count as 0 without a gradient, all others as if it were not there.


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
def test_a_poisoned_pixel_harms_no_window_but_those_that_hold_it(machine, poison):
    a, b = pictures(1, 40, 44, 2)
    healthy = ssim_map(a, b)
    a[0, 20, 22, 1] = poison
    a.requires_grad_()
    likeness = ssim_map(a, b)
    held = torch.zeros_like(a, dtype=torch.bool)
    held[0, 15:26, 17:28, 1] = True
    assert (likeness[held] == 0).all()
    assert_close(likeness[~held], healthy[~held], rtol=0, atol=1e-6)
    (gradient,) = torch.autograd.grad(likeness.sum(), a)
    assert gradient.isfinite().all()
    assert gradient[0, 20, 22, 1] == 0


def test_numbers_too_large_for_the_squares_are_no_likeness(kernels):
    a, b = pictures(1, 12, 12, 1)
    a.requires_grad_()
    likeness = ssim_map(1e30 * a, b)
    (gradient,) = torch.autograd.grad(likeness.sum(), a)
    assert likeness.isfinite().all() and gradient.isfinite().all()


# The operator


def test_two_runs_and_any_number_of_threads_give_the_same_bits(kernels):
    if kernels.backend == "cuda":
        pytest.skip("threads are the processor's")
    a, b = (picture.requires_grad_() for picture in pictures(2, 70, 50, 3))

    def once() -> list[Tensor]:
        likeness = ssim_map(a, b)
        return [likeness, *torch.autograd.grad(likeness.square().sum(), (a, b))]

    first, threads = once(), torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        second = once()
    finally:
        torch.set_num_threads(threads)
    for one, other, again in zip(first, second, once(), strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, again)


def test_the_operators_keep_torchs_contracts(kernels):
    a, b = (picture.requires_grad_() for picture in pictures(1, 12, 14, 3))
    torch.library.opcheck(
        torch.ops.distill3d.ssim.default,
        (kernels.backend, a, b, True),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )
    slopes = torch.rand(4, *a.shape).to(a)
    torch.library.opcheck(
        torch.ops.distill3d.ssim_gradient.default,
        (kernels.backend, torch.rand_like(a), a.detach(), b.detach(), slopes),
        test_utils=("test_schema", "test_faketensor"),
    )


def test_pictures_need_not_be_contiguous(kernels):
    a, b = pictures(2, 15, 12, 3)
    planes = a.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert not planes.is_contiguous()
    assert torch.equal(ssim_map(planes, b), ssim_map(a, b))


# Errors


def test_other_float_types_are_refused_by_name():
    a, b = pictures(1, 12, 12, 3)
    with pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        ssim(a.double(), b.double())


def test_pictures_that_do_not_agree_are_refused():
    a, b = pictures(1, 12, 12, 3)
    with pytest.raises((ValueError, TypeError), match=r"same shape|checking parameter|parameter 'b'"):
        ssim(a, b[:, :-1])


def test_pictures_without_a_pixel_are_refused():
    empty = torch.rand(1, 0, 12, 3)
    with pytest.raises(ValueError, match="without a pixel"):
        ssim(empty, empty)


def test_pictures_smaller_than_the_window_have_no_inside():
    a, b = pictures(1, 10, 12, 3)
    with pytest.raises(ValueError, match="expected at least 11 x 11"):
        ssim_inside(a, b)
