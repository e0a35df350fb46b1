"""`surfels` against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.testing import assert_close

from distill3d.camera import Cameras, look_at
from distill3d.ops import _library, _surfels_kernels, backends
from distill3d.ops.surfels import SurfelImages, surfels
from distill3d.rotation import matrix_from_wxyz, multiply, wxyz_between, wxyz_from_axis_angle
from tests.ops.machines import Machine, compiled, put, usable
from tests.ops.scenes import gaussians, views

INPUTS = ("means", "wxyz", "scales", "opacities", "colours", "probe")
PICTURES = ("colours", "alpha", "depth", "median_depth", "normal", "distortion")
CUDA = Path(__file__).parents[2] / "cuda"


@pytest.fixture(params=usable("surfels"), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.fixture(params=compiled("surfels"), ids=str)
def kernels(request):
    with request.param.in_use():
        yield request.param


def discs(
    count: int, channels: int = 3, *, seed: int = 0, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """Means, wxyz, scales, opacities and colours of a soft ball of discs."""
    means, wxyz, scales, *rest = gaussians(count, channels, seed=seed, dtype=dtype)
    return [means, wxyz, 1.5 * scales[:, :2].contiguous(), *rest]


def draw(scene: list[Tensor], cameras: Cameras) -> SurfelImages:
    return surfels(*scene, cameras)


def pictures(images: SurfelImages) -> list[Tensor]:
    return [getattr(images, name) for name in PICTURES]


def exactly(scene: list[Tensor], cameras: Cameras) -> SurfelImages:
    with backends.use("reference"):
        return surfels(*[values.double() for values in scene], cameras)


def gradients(machine: Machine | None, scene: list[Tensor], cameras: Cameras, names=PICTURES) -> list[Tensor]:
    """Under random cotangents of the named pictures; None is the definition in float64."""
    probe = torch.zeros(*cameras.shape, len(scene[0]), 2)
    values = [v.double() if machine is None else v for v in (*scene, probe)]
    leaves = [v.detach().clone().requires_grad_() for v in values]
    with backends.use("reference" if machine is None else machine.backend):
        images = surfels(*leaves[:5], cameras, probe=leaves[5])
    drawn = [getattr(images, name) for name in names]
    generator = torch.Generator().manual_seed(1)
    cotangents = [torch.randn(d.shape, generator=generator, device="cpu").to(d) for d in drawn]
    found = torch.autograd.grad(drawn, leaves, cotangents, allow_unused=True)
    filled = [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, found, strict=True)]
    return filled


def facing(camera: Cameras, tilt_rad: float = 0.0) -> Tensor:
    """The quaternion of a disc that faces the camera, tilted about the camera's x axis."""
    right, _, forward = camera.world_to_camera.reshape(-1, 4, 4)[0, :3, :3]
    faced = wxyz_between(torch.tensor([0.0, 0.0, 1.0]), -forward)
    return multiply(wxyz_from_axis_angle(right, tilt_rad), faced)[None]


# Laws


def test_one_opaque_disc_shows_its_colour_depth_and_normal_at_its_centre(machine):
    cameras = views(2, width=41, height=41)
    scene = [torch.zeros(1, 3), torch.tensor([[0.9, 0.1, 0.2, 0.3]]), torch.full((1, 2), 0.3), torch.ones(1)]
    scene += [torch.rand(1, 3)]
    colours, alpha, depth, median, normal, distortion = (
        image[:, 20, 20] for image in pictures(draw(scene, cameras))
    )
    weight = torch.full((2, 1), 0.999)
    assert_close(alpha, weight)
    assert_close(colours, weight * scene[4])
    assert_close(depth, 3 * weight, rtol=1e-5, atol=0)
    assert_close(median, torch.full((2, 1), 3.0), rtol=1e-5, atol=0)
    outwards = matrix_from_wxyz(scene[1])[0, :, 2]
    towards = (cameras.centres @ outwards).sign()[:, None]
    assert_close(normal, weight * towards * outwards, rtol=1e-5, atol=1e-6)
    assert distortion.abs().max() < 1e-9


def test_a_disc_is_a_gaussian_where_rays_meet_its_plane(machine):
    """By intersection in the world, for a disc far larger than the filter."""
    camera = replace(views(1, width=37, height=33), far=100.0)
    wxyz, scales, mean = facing(camera, 1.1), torch.tensor([[0.3, 0.2]]), torch.tensor([[0.1, 0.2, -0.1]])
    images = draw([mean, wxyz, scales, torch.full((1,), 0.8), torch.ones(1, 1)], camera)
    axes = matrix_from_wxyz(wxyz)[0]
    origins, directions = camera.rays()  # with camera z = 1
    z = ((mean - origins) @ axes[:, 2]) / (directions @ axes[:, 2])
    uv = ((origins + z[..., None] * directions - mean) @ axes[:, :2]) / scales
    expected = 0.8 * torch.exp(-0.5 * uv.square().sum(-1))
    alpha, depth, median = (image[..., 0] for image in (images.alpha, images.depth, images.median_depth))
    seen = expected > 1.02 / 255
    assert 100 < seen.sum() < 1000
    assert_close(alpha[seen], expected[seen], rtol=1e-3, atol=1e-5)
    assert_close(depth[seen], (expected * z)[seen], rtol=1e-3, atol=1e-5)
    assert_close(median[seen], z[seen], rtol=1e-4, atol=0)
    assert alpha[expected < 0.98 / 255].max() == 0


@pytest.mark.parametrize("tilt_rad", [0.0, torch.pi / 2])
def test_a_disc_smaller_than_a_pixel_or_edge_on_is_seen_through_the_filter(machine, tilt_rad):
    camera = views(1, width=41, height=41)
    size = 1e-3 if tilt_rad == 0 else 0.05
    scene = [torch.zeros(1, 3), facing(camera, tilt_rad), torch.full((1, 2), size), torch.full((1,), 0.8)]
    images = draw([*scene, torch.ones(1, 1)], camera)
    row = images.alpha[0, 18:23, 20, 0]
    offset_px = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert_close(row, 0.8 * torch.exp(-offset_px.square()), rtol=1e-3, atol=1e-5)


def test_discs_in_front_hide_those_behind_by_their_transmittance(machine):
    camera = views(1, width=33, height=33)
    towards = normalize(camera.centres, dim=-1)
    means = torch.cat([-0.5 * towards, 0.5 * towards])
    turned = facing(camera).expand(2, 4)
    images = draw([means, turned, torch.full((2, 2), 0.2), torch.full((2,), 0.6), torch.eye(2)], camera)
    near, far = 0.6, 0.4 * 0.6
    middle = [image[0, 16, 16] for image in pictures(images)]
    assert_close(middle[0], torch.tensor([far, near]), rtol=1e-4, atol=1e-5)
    assert_close(middle[2], torch.tensor([near * 2.5 + far * 3.5]), rtol=1e-4, atol=0)
    assert_close(middle[3], torch.tensor([2.5]), rtol=1e-4, atol=0)
    mapped = 1000 * 0.2 / (1000 - 0.2) * (1 / 2.5 - 1 / 3.5)
    assert_close(middle[5], torch.tensor([near * far * mapped**2]), rtol=1e-3, atol=0)


def test_the_order_of_surfels_does_not_matter(machine):
    scene, cameras = discs(40), views(2)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3), device="cpu")
    straight, shuffled = (draw(s, cameras) for s in (scene, [values[order] for values in scene]))
    for a, b in zip(pictures(straight), pictures(shuffled), strict=True):
        assert_close(a, b, rtol=0, atol=2e-6)
    assert_close(straight.radius_px[..., order], shuffled.radius_px)


def test_moving_the_camera_and_the_scene_together_turns_only_the_normals(machine):
    scene, cameras = discs(30), views(2)
    turn = wxyz_from_axis_angle(torch.tensor([0.3, -1.0, 0.5]), 0.8)
    rotation, shift = matrix_from_wxyz(turn), torch.tensor([0.2, -0.4, 0.1])
    inverse = torch.eye(4)
    inverse[:3, :3], inverse[:3, 3] = rotation.T, -rotation.T @ shift
    moved = [scene[0] @ rotation.T + shift, multiply(turn.expand(30, 4), scene[1]), *scene[2:]]
    moved_cameras = replace(cameras, world_to_camera=cameras.world_to_camera @ inverse)
    before, after = pictures(draw(scene, cameras)), pictures(draw(moved, moved_cameras))
    before[4] = before[4] @ rotation.T
    for a, b in zip(before, after, strict=True):
        assert ((a - b).abs() > 1e-4).sum() <= 2e-3 * a.numel()


def test_a_crop_of_the_picture_is_the_picture_of_the_crop(machine):
    scene, cameras = discs(40), views(2, width=50, height=40)
    left, top, width, height = 11, 9, 26, 21
    shift = torch.tensor([0.0, 0.0, left, top])
    cropped = replace(cameras, intrinsics=cameras.intrinsics - shift, width=width, height=height)
    for whole, crop in zip(pictures(draw(scene, cameras)), pictures(draw(scene, cropped)), strict=True):
        window = whole[:, top : top + height, left : left + width]
        assert ((crop - window).abs() > 3e-5).sum() <= 1e-3 * crop.numel()


def test_many_cameras_at_once_are_the_same_as_one_by_one(machine):
    scene, cameras = discs(30), views(4)
    batch = Cameras(
        cameras.world_to_camera.reshape(2, 2, 4, 4),
        cameras.intrinsics.reshape(2, 2, 4),
        cameras.width,
        cameras.height,
    )
    together = draw(scene, batch)
    assert together.normal.shape == (2, 2, cameras.height, cameras.width, 3)
    assert together.radius_px.shape == (2, 2, 30)
    for index in range(4):
        alone = draw(scene, cameras[index])
        for a, b in zip(pictures(together), pictures(alone), strict=True):
            assert torch.equal(a.flatten(0, 1)[index], b)
        assert torch.equal(together.radius_px.flatten(0, 1)[index], alone.radius_px)


def test_each_camera_may_see_colours_of_its_own(machine):
    *shape, first = put(*discs(30))
    cameras = views(2, width=20, height=18)
    leaves = [first.requires_grad_(), (1 - first).detach().requires_grad_()]
    both = torch.stack(leaves)
    together = surfels(*shape, both, cameras).colours
    alone = torch.stack([surfels(*shape, leaf, cameras[i]).colours for i, leaf in enumerate(leaves)])
    assert_close(together, alone, rtol=0, atol=1e-6)
    cotangent = torch.rand(together.shape, generator=torch.Generator().manual_seed(0), device="cpu").to(
        together
    )
    for a, b in zip(*(torch.autograd.grad(c, leaves, cotangent) for c in (together, alone)), strict=True):
        assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_pictures_keep_their_bounds(machine):
    colours, alpha, depth, median, normal, distortion = pictures(draw(discs(150), views(2)))
    assert alpha.min() >= 0 and alpha.max() <= 1 and alpha.max() > 0.9
    assert (colours <= alpha + 1e-6).all() and (normal.norm(dim=-1) <= alpha[..., 0] + 1e-5).all()
    assert distortion.min() > -1e-8 and (depth >= 0).all() and ((median > 0) == (alpha > 0)).all()


def test_an_empty_scene_is_an_empty_picture_with_gradients_of_no_size(machine):
    leaves = [values.requires_grad_() for values in put(*discs(0))]
    images = surfels(*leaves, views(2))
    assert all(image.abs().max() == 0 for image in pictures(images))
    if machine.backend != "reference":
        for leaf, g in zip(leaves, torch.autograd.grad(images.colours.sum(), leaves), strict=True):
            assert g.shape == leaf.shape


# Poisoned surfels are left out: the picture and the gradients are those of the healthy ones.

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
def test_a_poisoned_surfel_harms_no_other(machine, poison):
    healthy, cameras = discs(20), views(1, width=20, height=18)
    extra = [values.clone() for values in discs(1, seed=5)]
    which, value = POISONS[poison]
    extra[which][:] = value
    poisoned = put(*[torch.cat(pair) for pair in zip(healthy, extra, strict=True)])
    leaves = [values.requires_grad_() for values in poisoned]
    images = surfels(*leaves, cameras)
    for a, b in zip(pictures(images), pictures(draw(healthy, cameras)), strict=True):
        assert_close(a.detach(), b, rtol=0, atol=1e-6)
    assert images.radius_px[0, 20] == 0
    loss = sum(getattr(images, name).square().sum() for name in PICTURES)
    for g in torch.autograd.grad(loss, leaves):
        assert g.isfinite().all()
        assert (g[20] == 0).all()


def test_scales_of_zero_give_a_dot_and_finite_gradients(machine):
    scene = discs(3)
    scene[0][:], scene[2][:] = 0.01 * scene[0], 0
    leaves = [values.requires_grad_() for values in put(*scene)]
    images = surfels(*leaves, views(1))
    assert images.alpha.max() > 0
    for g in torch.autograd.grad(sum(getattr(images, name).sum() for name in PICTURES), leaves):
        assert g.isfinite().all()


def test_a_disc_through_the_camera_is_drawn_up_to_the_near_plane(machine):
    """The eye is inside the scene: a floor below it reaches from its feet to the horizon."""
    eye = torch.tensor([[0.0, 0.0, 0.1]])
    camera = look_at(eye, [1.0, 0.0, 0.1], fov_y_rad=1.0, width=24, height=24)
    scene = [torch.tensor([[2.0, 0, 0]]), torch.eye(4)[:1], torch.full((1, 2), 50.0), torch.full((1,), 0.7)]
    images = draw([*scene, torch.ones(1, 1)], camera)
    alpha, z = images.alpha[0, ..., 0], images.median_depth[0, ..., 0]
    assert (alpha[:11] < 1e-3).all()
    assert_close(alpha[14:], torch.full((10, 24), 0.7), rtol=1e-2, atol=0)
    rows_px = torch.arange(14, 24) + 0.5 - 12
    expected = (0.1 * camera.intrinsics[0, 1] / rows_px)[:, None].expand(10, 24)
    assert_close(z[14:], expected, rtol=1e-3, atol=0)


def test_a_crowd_of_surfels_around_the_eye_is_finite(machine):
    scene = discs(60)
    scene[0][:, 0] += 2.9
    leaves = [values.requires_grad_() for values in put(*scene)]
    camera = look_at(torch.tensor([[3.0, 0, 0]]), fov_y_rad=0.7, width=20, height=20)
    images = surfels(*leaves, camera)
    assert all(image.isfinite().all() for image in pictures(images))
    for g in torch.autograd.grad(images.colours.sum() + images.distortion.sum(), leaves):
        assert g.isfinite().all()


def test_a_picture_of_one_pixel(machine):
    images = draw(discs(50), views(1, width=1, height=1))
    exact = exactly(discs(50), views(1, width=1, height=1))
    for a, b in zip(pictures(images), pictures(exact), strict=True):
        assert_close(a.double(), b.double(), rtol=1e-4, atol=1e-5)


# The kernels against the definition in float64


@pytest.mark.parametrize("channels", [0, 1, 3, 4, 9])
@pytest.mark.parametrize("count", [1, 7, 400])
def test_pictures_are_those_of_the_definition(kernels, channels, count):
    count = kernels.size(count, min(count, 60))
    scene, cameras = discs(count, channels), views(2)
    ours, exact = draw(scene, cameras), exactly(scene, cameras)
    # A fragment at one of the thresholds may fall on either side of it in float32.
    for name, a, b in zip(PICTURES, pictures(ours), pictures(exact), strict=True):
        assert ((a - b).abs() > 3e-5).sum() <= 1e-3 * a.numel(), name
        assert (a - b).abs().sum() <= (1e-3 if name == "median_depth" else 1e-4) * b.abs().sum() + 1e-6, name
    assert_close(ours.radius_px.double(), exact.radius_px, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3, 4, 9])
def test_gradients_are_those_of_the_definition(kernels, channels):
    scene, cameras = discs(kernels.size(150, 40), channels), views(3)
    ours, exact = gradients(kernels, scene, cameras), gradients(None, scene, cameras)
    for name, a, b in zip(INPUTS, ours, exact, strict=True):
        assert (a - b).norm() <= 2e-4 * b.norm(), name


@pytest.mark.parametrize("picture", PICTURES)
def test_gradients_of_each_picture_alone_are_those_of_the_definition(kernels, picture):
    scene, cameras = discs(kernels.size(150, 40)), views(2)
    ours, exact = gradients(kernels, scene, cameras, [picture]), gradients(None, scene, cameras, [picture])
    for name, a, b in zip(INPUTS, ours, exact, strict=True):
        assert (a - b).norm() <= 2e-4 * b.norm() + 1e-4, name


def test_gradients_of_surfels_off_the_picture_are_those_of_the_definition(kernels):
    scene, cameras = discs(kernels.size(100, 40)), views(2, width=24, height=20)
    cameras = replace(cameras, intrinsics=cameras.intrinsics * torch.tensor([4.0, 4.0, 1.0, 1.0]))
    ours, exact = gradients(kernels, scene, cameras), gradients(None, scene, cameras)
    for name, a, b in zip(INPUTS, ours, exact, strict=True):
        assert (a - b).norm() <= 4e-4 * b.norm(), name


def test_the_definitions_own_gradient_is_its_derivative():
    scene = discs(3, 2, dtype=torch.float64)
    cameras = views(1, width=6, height=5)
    leaves = [values.requires_grad_() for values in scene]
    scene[2].data += 0.15

    def drawn(*values: Tensor) -> tuple[Tensor, ...]:
        with backends.use("reference"):
            return tuple(pictures(surfels(*values, cameras)))

    assert torch.autograd.gradcheck(drawn, leaves, eps=1e-7, atol=1e-4)


def test_the_maths_gradients_in_double_are_derivatives(tmp_path):
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    program = tmp_path / "gradients"
    command = [compiler, "-std=c++17", "-O1", "-march=native", "-Wno-psabi", f"-I{CUDA / 'include'}"]
    source = Path(__file__).parent / "surfel_gradients.cpp"
    subprocess.run([*command, str(source), "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert "compared 780 derivatives" in result.stdout


# The operator


def test_two_runs_and_any_number_of_threads_give_the_same_bits():
    machine, scene, cameras = Machine("cpu", torch.device("cpu")), discs(300), views(3)
    threads = torch.get_num_threads()
    first = gradients(machine, scene, cameras)
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        second = gradients(machine, scene, cameras)
    finally:
        torch.set_num_threads(threads)
    third = gradients(machine, scene, cameras)
    for a, b, c in zip(first, second, third, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


@pytest.mark.parametrize("room", [0, 9])
def test_what_has_no_room_in_the_lists_is_drawn_nevertheless(kernels, monkeypatch, room):
    if kernels.backend == "cpu":
        pytest.skip("the length of lists is known before they are made")
    scene, cameras = discs(30), views(2)
    roomy, expected = draw(scene, cameras), gradients(kernels, scene, cameras)
    monkeypatch.setattr(_surfels_kernels, "room_for", lambda kind, needed: room)
    for a, b in zip(pictures(draw(scene, cameras)), pictures(roomy), strict=True):
        assert_close(a, b)
    for a, b in zip(gradients(kernels, scene, cameras), expected, strict=True):
        assert (a - b).norm() <= 1e-4 * b.norm()


def test_the_operator_keeps_torchs_contracts(kernels):
    leaves = [values.requires_grad_() for values in put(*discs(12))]
    cameras = views(2, width=20, height=18)
    probe = torch.zeros(2, 12, 2, requires_grad=True)
    arguments = (kernels.backend, *leaves, probe, *_library.flat(cameras), 20, 18, 0.01, 1e4)
    torch.library.opcheck(
        torch.ops.distill3d.surfels.default,
        arguments,
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_inputs_need_not_be_contiguous(kernels):
    scene, cameras = discs(30), views(1)
    strided = [torch.stack([values, values], -1)[..., 0] for values in scene]
    assert not strided[0].is_contiguous()
    assert torch.equal(draw(strided, cameras).normal, draw(scene, cameras).normal)


# Errors


def test_other_float_types_are_refused_by_name():
    with pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        surfels(*discs(3, dtype=torch.float64), views(1))


@pytest.mark.parametrize(("which", "wrong"), [(3, torch.ones(4)), (2, torch.ones(3, 3)), (1, torch.ones(3))])
def test_shapes_that_do_not_agree_are_refused(which, wrong):
    scene = discs(3)
    scene[which] = wrong
    with pytest.raises((ValueError, TypeError), match=INPUTS[which]):
        surfels(*scene, views(1))


def test_cameras_that_want_a_gradient_are_refused_by_the_kernels(kernels):
    cameras = views(1)
    cameras = replace(cameras, intrinsics=cameras.intrinsics.clone().requires_grad_())
    with pytest.raises(ValueError, match="no gradient to cameras"):
        surfels(*discs(3), cameras)
