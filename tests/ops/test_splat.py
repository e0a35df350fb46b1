"""`splat` against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from distill3d.camera import Cameras
from distill3d.ops import _library, backends
from distill3d.ops.splat import SplatImages, splat
from distill3d.rotation import matrix_from_wxyz, multiply, wxyz_from_axis_angle
from tests.ops.machines import compiled, put, usable
from tests.ops.scenes import gaussians, views

INPUTS = ("means", "wxyz", "scales", "opacities", "colours", "probe")


@pytest.fixture(params=usable("splat"), ids=str)
def backend(request):
    with request.param.in_use():
        yield request.param.backend


@pytest.fixture(params=compiled("splat"), ids=str)
def kernels(request):
    with request.param.in_use():
        yield request.param.backend


def in_reference(scene: list[Tensor], cameras: Cameras, **options) -> SplatImages:
    with backends.use("reference"):
        return splat(*scene, cameras, **options)


def pictures(images: SplatImages) -> list[Tensor]:
    return [images.colours, images.alpha, images.depth]


def random_like(tensors: list[Tensor], seed: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return put(*[torch.randn(t.shape, generator=generator, device="cpu") for t in tensors])


def gradients(scene: list[Tensor], cameras: Cameras, backend: str, dtype: torch.dtype) -> list[Tensor]:
    count = len(scene[0])
    probe = torch.zeros(*cameras.shape, count, 2)
    leaves = [values.to(dtype).requires_grad_() for values in (*scene, probe)]
    with backends.use(backend):
        images = pictures(splat(*leaves[:5], cameras, probe=leaves[5]))
    cotangents = [g.to(dtype) for g in random_like(images)]
    return list(torch.autograd.grad(images, leaves, cotangents))


# Laws


def test_one_opaque_splat_shows_its_colour_and_depth_at_its_centre(backend):
    cameras = views(2, width=41, height=41)
    scene = [
        torch.zeros(1, 3),
        torch.tensor([[1.0, 0, 0, 0]]),
        torch.full((1, 3), 0.3),
        torch.ones(1),
        torch.rand(1, 3),
    ]
    images = splat(*scene, cameras)
    weight = 0.999
    assert_close(images.alpha[:, 20, 20, 0], torch.full((2,), weight))
    assert_close(images.colours[:, 20, 20], weight * scene[4].expand(2, 3))
    assert_close(images.depth[:, 20, 20, 0], torch.full((2,), 3 * weight), rtol=1e-5, atol=0)


def test_a_round_splat_falls_off_as_a_gaussian_of_its_projected_size(backend):
    cameras = views(1, width=65, height=65)
    scale, opacity = 0.1, 0.8
    scene = [torch.zeros(1, 3), torch.tensor([[1.0, 0, 0, 0]]), torch.full((1, 3), scale)]
    images = splat(*scene, torch.tensor([opacity]), torch.ones(1, 1), cameras)
    variance_px = (scale * cameras.intrinsics[0, 0] / 3) ** 2 + 0.3
    offset_px = torch.arange(65) - 32.0
    expected = opacity * torch.exp(-0.5 * offset_px**2 / variance_px)
    assert_close(
        images.alpha[0, 32, :, 0], torch.where(expected < 1 / 255, 0, expected), rtol=1e-4, atol=1e-6
    )


def test_splats_in_front_hide_those_behind_by_their_transmittance(backend):
    camera = views(1, width=33, height=33)
    towards = torch.nn.functional.normalize(camera.centres, dim=-1)
    means = torch.cat([-0.5 * towards, 0.5 * towards])
    one = torch.ones(2)
    images = splat(
        means, torch.eye(4)[:1].expand(2, 4), torch.full((2, 3), 0.2), one * 0.6, torch.eye(2), camera
    )
    assert_close(images.colours[0, 16, 16], torch.tensor([0.4 * 0.6, 0.6]), rtol=1e-4, atol=1e-4)


def test_the_order_of_splats_does_not_matter(backend):
    scene, cameras = gaussians(60), views(2)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    straight, shuffled = splat(*scene, cameras), splat(*[values[order] for values in scene], cameras)
    for a, b in zip(pictures(straight), pictures(shuffled), strict=True):
        assert_close(a, b, rtol=0, atol=1e-6)
    assert_close(straight.radius_px[..., order], shuffled.radius_px)


def test_moving_the_camera_and_the_scene_together_changes_nothing(backend):
    scene, cameras = gaussians(40), views(2)
    turn = wxyz_from_axis_angle(torch.tensor([0.3, -1.0, 0.5]), 0.8)
    rotation, shift = matrix_from_wxyz(turn), torch.tensor([0.2, -0.4, 0.1])
    inverse = torch.eye(4)
    inverse[:3, :3], inverse[:3, 3] = rotation.T, -rotation.T @ shift
    moved = [scene[0] @ rotation.T + shift, multiply(turn.expand(40, 4), scene[1]), *scene[2:]]
    moved_cameras = replace(cameras, world_to_camera=cameras.world_to_camera @ inverse)
    for a, b in zip(pictures(splat(*scene, cameras)), pictures(splat(*moved, moved_cameras)), strict=True):
        assert_close(a, b, rtol=0, atol=3e-5)


def test_the_length_of_a_quaternion_does_not_matter(backend):
    scene, cameras = gaussians(30), views(1)
    longer = [scene[0], 7 * scene[1], *scene[2:]]
    assert_close(splat(*scene, cameras).colours, splat(*longer, cameras).colours, rtol=0, atol=1e-5)


def test_a_crop_of_the_picture_is_the_picture_of_the_crop(backend):
    scene, cameras = gaussians(40), views(2, width=50, height=40)
    scene[0] *= (
        0.3  # all centres lie in the crop, so the Jacobian's clamp, which follows the picture, is idle
    )
    left, top, width, height = 11, 9, 26, 21
    shift = torch.tensor([0.0, 0.0, left, top])
    cropped = replace(cameras, intrinsics=cameras.intrinsics - shift, width=width, height=height)
    window = splat(*scene, cameras).colours[:, top : top + height, left : left + width]
    assert_close(splat(*scene, cropped).colours, window, rtol=0, atol=2e-5)


def test_many_cameras_at_once_are_the_same_as_one_by_one(backend):
    scene, cameras = gaussians(50), views(6)
    batch = Cameras(
        cameras.world_to_camera.reshape(2, 3, 4, 4),
        cameras.intrinsics.reshape(2, 3, 4),
        cameras.width,
        cameras.height,
    )
    together = splat(*scene, batch)
    assert together.colours.shape == (2, 3, cameras.height, cameras.width, 3)
    assert together.radius_px.shape == (2, 3, 50)
    for index in range(6):
        alone = splat(*scene, cameras[index])
        assert torch.equal(together.colours.flatten(0, 1)[index], alone.colours)
        assert torch.equal(together.radius_px.flatten(0, 1)[index], alone.radius_px)


def test_colours_are_drawn_linearly_and_their_gradient_is_the_adjoint(backend):
    *shape, colours = gaussians(40, 5)
    cameras = views(3)
    colours.requires_grad_()
    image = splat(*shape, colours, cameras).colours
    cotangent = random_like([image])[0]
    (gradient,) = torch.autograd.grad(image, colours, cotangent)
    assert_close((image * cotangent).sum(), (colours * gradient).sum(), rtol=1e-4, atol=1e-4)


def test_alpha_is_between_nothing_and_one_and_covers_the_colours(backend):
    images = splat(*gaussians(200), views(2))
    assert images.alpha.min() >= 0
    assert images.alpha.max() <= 1
    assert (images.colours <= images.alpha + 1e-6).all()


def test_an_empty_scene_is_an_empty_picture_with_gradients_of_no_size(backend):
    leaves = [values.requires_grad_() for values in gaussians(0)]
    images = splat(*leaves, views(2))
    assert images.colours.abs().max() == images.alpha.max() == images.depth.max() == 0
    if backend == "cpu":
        for leaf, gradient in zip(leaves, torch.autograd.grad(images.colours.sum(), leaves), strict=True):
            assert gradient.shape == leaf.shape


# Poisoned splats are left out: the picture and the gradients are those of the healthy ones.

POISONS = {
    "a mean that is NaN": (0, float("nan")),
    "a mean at infinity": (0, float("inf")),
    "a quaternion of zeros": (1, 0.0),
    "a quaternion with NaN": (1, float("nan")),
    "an infinite scale": (2, float("inf")),
    "a scale that overflows": (2, 1e30),
    "an opacity that is NaN": (3, float("nan")),
    "an opacity of zero": (3, 0.0),
    "a negative opacity": (3, -1.0),
    "a colour that is NaN": (4, float("nan")),
    "a mean behind the cameras": (0, 50.0),
}


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_splat_harms_no_other(backend, poison):
    healthy, cameras = gaussians(30), views(1)
    extra = [values.clone() for values in gaussians(1, seed=5)]
    which, value = POISONS[poison]
    extra[which][:] = value
    leaves = [torch.cat(pair).requires_grad_() for pair in zip(healthy, extra, strict=True)]
    images = splat(*leaves, cameras)
    for a, b in zip(pictures(images), pictures(splat(*healthy, cameras)), strict=True):
        assert_close(a, b, rtol=0, atol=1e-6)
    assert images.radius_px[0, 30] == 0
    for gradient in torch.autograd.grad(images.colours.square().sum(), leaves):
        assert gradient.isfinite().all()
        assert (gradient[30] == 0).all()


def test_a_flat_splat_is_drawn(backend):
    scene = gaussians(1)
    scene[0][:] = 0
    scene[2][:] = 0
    assert splat(*scene, views(1)).alpha.max() > 0


def test_a_splat_that_covers_everything_is_drawn_everywhere(backend):
    cameras = views(1, width=70, height=50)
    scene = [
        torch.zeros(1, 3),
        torch.eye(4)[:1],
        torch.full((1, 3), 30.0),
        torch.full((1,), 0.5),
        torch.ones(1, 1),
    ]
    assert_close(splat(*scene, cameras).alpha, torch.full((1, 50, 70, 1), 0.5), rtol=0.01, atol=0)


# The kernels against the definition in float64


@pytest.mark.parametrize("channels", [0, 1, 3, 4, 9])
@pytest.mark.parametrize("count", [1, 7, 400])
def test_pictures_are_those_of_the_definition(kernels, channels, count):
    scene, cameras = gaussians(count, channels), views(2)
    ours = splat(*scene, cameras)
    exact = in_reference([values.double() for values in scene], cameras)
    # A fragment at one of the thresholds may fall on either side of it in float32.
    for a, b in zip(pictures(ours), pictures(exact), strict=True):
        far_off = (a.double() - b).abs() > 3e-5
        assert far_off.sum() <= 1e-3 * far_off.numel()
        assert (a.double() - b).abs().sum() <= 1e-4 * b.abs().sum() + 1e-6
    assert_close(ours.radius_px.double(), exact.radius_px, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3, 4, 9])
def test_gradients_are_those_of_the_definition(kernels, channels):
    scene, cameras = gaussians(150, channels), views(3)
    ours = gradients(scene, cameras, kernels, torch.float32)
    exact = gradients(scene, cameras, "reference", torch.float64)
    for name, a, b in zip(INPUTS, ours, exact, strict=True):
        assert (a - b).norm() <= 1e-4 * b.norm(), name


def test_gradients_of_splats_off_the_picture_are_those_of_the_definition(kernels):
    scene, cameras = gaussians(100), views(2, width=24, height=20)
    cameras = replace(cameras, intrinsics=cameras.intrinsics * torch.tensor([4.0, 4.0, 1.0, 1.0]))
    ours = gradients(scene, cameras, kernels, torch.float32)
    exact = gradients(scene, cameras, "reference", torch.float64)
    for name, a, b in zip(INPUTS, ours, exact, strict=True):
        assert (a - b).norm() <= 2e-4 * b.norm(), name


def test_the_probes_gradient_is_the_derivative_by_the_centres(kernels):
    scene, cameras = gaussians(5), views(1)
    probe = torch.zeros(1, 5, 2, dtype=torch.float64, requires_grad=True)
    (statistic,) = torch.autograd.grad(
        in_reference([v.double() for v in scene], cameras, probe=probe).colours.square().sum(), probe
    )
    ours = torch.zeros(1, 5, 2, requires_grad=True)
    (kernel,) = torch.autograd.grad(splat(*scene, cameras, probe=ours).colours.square().sum(), ours)
    assert statistic.abs().max() > 0
    assert_close(kernel.double(), statistic, rtol=1e-3, atol=1e-4)


def test_the_definitions_own_gradient_is_its_derivative():
    scene = gaussians(4, 2, dtype=torch.float64)
    cameras = views(1, width=9, height=8)
    leaves = [values.requires_grad_() for values in scene]
    scene[2].data += 0.1

    def drawn(*values: Tensor) -> tuple[Tensor, ...]:
        return tuple(pictures(in_reference(list(values), cameras)))

    assert torch.autograd.gradcheck(drawn, leaves, eps=1e-7, atol=1e-4)


# The operator


def test_two_runs_and_any_number_of_threads_give_the_same_bits():
    scene, cameras = gaussians(300), views(3)
    first = gradients(scene, cameras, "cpu", torch.float32)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        second = gradients(scene, cameras, "cpu", torch.float32)
    finally:
        torch.set_num_threads(threads)
    third = gradients(scene, cameras, "cpu", torch.float32)
    for a, b, c in zip(first, second, third, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


def test_the_operator_keeps_torchs_contracts():
    leaves = [values.requires_grad_() for values in gaussians(12)]
    sh = torch.rand(12, 4, 3, requires_grad=True)
    probe, absolute_probe = (torch.zeros(2, 12, 2, requires_grad=True) for _ in range(2))
    cameras = _library.flat(views(2, width=20, height=18))
    settings = (20, 18, 0.01, 1e4, 0.3, True, True)
    arguments = ("cpu", *leaves, sh, probe, absolute_probe, *cameras, *settings)
    torch.library.opcheck(
        torch.ops.distill3d.splat.default,
        arguments,
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_inputs_need_not_be_contiguous():
    scene, cameras = gaussians(30), views(1)
    strided = [torch.stack([values, values], -1)[..., 0] for values in scene]
    assert not strided[0].is_contiguous()
    assert torch.equal(splat(*strided, cameras).colours, splat(*scene, cameras).colours)


# Errors


def test_other_float_types_are_refused_by_name():
    with pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        splat(*gaussians(3, dtype=torch.float64), views(1))


def test_shapes_that_do_not_agree_are_refused():
    scene = gaussians(3)
    scene[3] = torch.ones(4)
    with pytest.raises((ValueError, TypeError), match="opacities"):
        splat(*scene, views(1))


def test_cameras_that_want_a_gradient_are_refused_by_the_kernels():
    cameras = views(1)
    cameras = replace(cameras, intrinsics=cameras.intrinsics.clone().requires_grad_())
    with pytest.raises(ValueError, match="no gradient to cameras"):
        splat(*gaussians(3), cameras)
