"""What `splat` draws beside colours: harmonics, normals, many channels; antialiasing; absolute gradients."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from distill3d.ops import backends
from distill3d.ops.splat import splat
from distill3d.rotation import matrix_from_wxyz
from distill3d.sh import radiance
from tests.ops.machines import compiled, put, usable
from tests.ops.scenes import gaussians, views
from tests.ops.splat_cases import case, gradients, pictures


@pytest.fixture(params=usable("splat"), ids=str)
def machine(request):
    with request.param.in_use():
        yield request.param


@pytest.fixture(params=compiled("splat"), ids=str)
def kernels(request):
    with request.param.in_use():
        yield request.param


def random(*shape):
    return put(torch.randn(*shape, generator=torch.Generator().manual_seed(1), device="cpu"))[0]


CASES = {
    "normals": lambda n: case(n, 3, normals=True),
    "no colours": lambda n: case(n, 0),
    "1 harmonic": lambda n: case(n, 0, harmonics=1),
    "4 harmonics": lambda n: case(n, 2, harmonics=4),
    "9 harmonics and a colour": lambda n: case(n, 1, harmonics=9, normals=True),
    "16 harmonics and many colours": lambda n: case(n, 20, harmonics=16, normals=True),
    "colours for each camera": lambda n: case(n, 3, for_each=True),
    "many colours for each camera": lambda n: case(n, 11, for_each=True),
    "384 channels": lambda n: case(n // 2, 384, cameras=views(2, width=20, height=18)),
    "antialiased": lambda n: case(n, 3, antialiased=True),
    "antialiased with a wide blur": lambda n: case(n, 4, antialiased=True, blur_px=2.0),
    "pictures of one pixel": lambda n: case(n, 9, harmonics=4, cameras=views(2, width=1, height=1)),
}


@pytest.mark.parametrize("name", CASES)
def test_pictures_and_gradients_are_those_of_the_definition(kernels, name):
    drawn = CASES[name](kernels.size(120, 30))
    ours, leaves = drawn.draw(kernels.backend, torch.float32)
    exact, exact_leaves = drawn.draw("reference", torch.float64)
    for picture, expected in pictures(exact).items():
        a, b = pictures(ours)[picture].double(), expected
        far_off = (a - b).abs() > 1e-4 * (1 + b.abs())
        assert far_off.sum() <= 1e-3 * far_off.numel(), picture
    found, wanted = gradients(ours, leaves), gradients(exact, exact_leaves)
    for leaf, b in wanted.items():
        assert (found[leaf].double() - b).norm() <= 3e-4 * b.norm() + 1e-6, leaf
    assert (wanted["absolute_probe"] >= wanted["probe"].abs() - 1e-9).all()


@pytest.mark.parametrize("only", ["colours", "alpha", "depth", "radiance", "normal"])
@pytest.mark.parametrize("channels", [2, 12])
def test_a_loss_of_one_picture_alone_has_the_definitions_gradients(kernels, only, channels):
    drawn = case(kernels.size(80, 20), channels, harmonics=4, normals=True)
    found = gradients(*drawn.draw(kernels.backend, torch.float32), only=only)
    wanted = gradients(*drawn.draw("reference", torch.float64), only=only)
    for leaf, b in wanted.items():
        assert (found[leaf].double() - b).norm() <= 3e-4 * b.norm() + 1e-6, leaf


def test_the_definitions_own_gradients_are_its_derivatives():
    drawn = case(4, 1, harmonics=9, normals=True, antialiased=True, cameras=views(1, width=9, height=8))
    drawn.tensors["scales"] += 0.1
    names = [name for name in drawn.tensors if name != "absolute_probe"]
    leaves = [drawn.tensors[name].double().requires_grad_() for name in names]

    def draw(*values):
        with backends.use("reference"):
            images = splat(cameras=drawn.cameras, **dict(zip(names, values, strict=True)), **drawn.options)
        return tuple(pictures(images).values())

    assert torch.autograd.gradcheck(draw, leaves, eps=1e-7, atol=1e-4, fast_mode=True)


def test_harmonics_are_drawn_as_colours_of_that_view(machine):
    cameras = views(1)
    shape, sh = gaussians(50)[:4], random(50, 16, 3)
    directions = torch.nn.functional.normalize(shape[0] - cameras.centres, dim=-1)
    colours = radiance(sh, directions)
    images = splat(*shape, colours, cameras, sh=sh)
    assert_close(images.radiance, images.colours, rtol=0, atol=2e-5)


def test_a_plate_shows_its_normal_to_every_camera(machine):
    cameras = views(4, width=21, height=21)
    wxyz = torch.tensor([[0.8, 0.1, -0.5, 0.3]])
    axis = matrix_from_wxyz(wxyz)[0, :, 1]
    scales = torch.tensor([[0.4, 0.01, 0.3]])
    shape = [torch.zeros(1, 3), wxyz, scales, torch.ones(1), torch.zeros(1, 0)]
    images = splat(*shape, cameras, normals=True)
    normal = (images.normal / images.alpha)[:, 10, 10]
    assert_close(normal.abs(), axis.abs().expand(4, 3), rtol=0, atol=1e-5)
    assert ((normal * -cameras.centres).sum(-1) < 0).all()


def test_channels_do_not_depend_on_how_many_are_drawn_together(machine):
    *shape, colours = gaussians(100, 37)
    cameras = views(2)
    together = splat(*shape, colours, cameras).colours
    for some in (slice(0, 3), slice(30, 37)):
        assert_close(splat(*shape, colours[:, some], cameras).colours, together[..., some], rtol=0, atol=1e-5)


def test_an_antialiased_speck_gives_the_same_light_at_every_size(machine):
    shape = [torch.zeros(1, 3), torch.eye(4)[:1], torch.full((1, 3), 0.02), torch.full((1,), 0.9)]

    def light(size, antialiased):
        cameras = views(1, width=size, height=size)
        return float(splat(*shape, torch.ones(1, 1), cameras, antialiased=antialiased).colours.mean())

    assert light(24, True) == pytest.approx(light(96, True), rel=0.12)
    assert light(24, False) > 2 * light(96, False)


def test_what_pulls_a_splat_apart_cancels_in_the_probe_but_not_in_the_absolute_probe(machine):
    cameras = views(1, width=41, height=41)
    shape = [
        torch.zeros(1, 3),
        torch.eye(4)[:1],
        torch.full((1, 3), 0.2),
        torch.full((1,), 0.5),
        torch.ones(1, 1),
    ]
    probe, absolute = (torch.zeros(1, 1, 2, requires_grad=True) for _ in range(2))
    images = splat(*shape, cameras, probe=probe, absolute_probe=absolute)
    images.colours.sum().backward()
    assert absolute.grad is not None and probe.grad is not None
    assert probe.grad.abs().max() < 1e-2
    assert absolute.grad.min() > 1


POISONS = {"a harmonic that is NaN": float("nan"), "a harmonic at infinity": float("inf")}


@pytest.mark.parametrize("poison", POISONS)
def test_a_splat_with_poisoned_harmonics_is_not_drawn(machine, poison):
    *shape, _ = gaussians(20)
    cameras, sh = views(1), random(20, 4, 3)
    sh[19, 2, 1] = POISONS[poison]
    sh.requires_grad_()
    nothing = shape[0].new_empty(20, 0)
    images = splat(*shape, nothing, cameras, sh=sh, normals=True)
    healthy = splat(*[part[:19] for part in (*shape, nothing)], cameras, sh=sh[:19], normals=True)
    for name, picture in pictures(healthy).items():
        assert_close(pictures(images)[name], picture, rtol=0, atol=1e-6)
    (gradient,) = torch.autograd.grad(images.radiance.sum(), sh)
    assert gradient.isfinite().all()
    assert (gradient[19] == 0).all()


def test_a_round_splat_has_a_normal_and_one_seen_from_its_edge_is_finite(machine):
    shape = [torch.zeros(1, 3), torch.eye(4)[:1], torch.full((1, 3), 0.2), torch.ones(1)]
    images = splat(*shape, shape[0].new_empty(1, 0), views(1), normals=True)
    assert images.normal.isfinite().all()
    assert images.normal.abs().max() > 0.5


def test_the_same_bits_come_of_any_number_of_threads():
    drawn = case(200, 20, harmonics=9, normals=True, antialiased=True)
    results = []
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            images, leaves = drawn.draw("cpu", torch.float32)
            results.append([*pictures(images).values(), *gradients(images, leaves).values()])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


# Errors


def test_harmonics_of_no_whole_degree_are_refused():
    with pytest.raises((ValueError, TypeError), match="5 harmonics"):
        splat(*gaussians(3), views(1), sh=torch.zeros(3, 5, 3))


def test_harmonics_of_other_splats_are_refused():
    with pytest.raises((ValueError, TypeError), match="sh"):
        splat(*gaussians(3), views(1), sh=torch.zeros(4, 4, 3))


def test_colours_of_other_cameras_are_refused():
    *shape, _ = gaussians(3)
    with pytest.raises((ValueError, TypeError), match="colours"):
        splat(*shape, torch.zeros(5, 3, 2), views(2))


def test_harmonics_in_double_are_refused_by_the_kernels():
    with backends.use("cpu"), pytest.raises(TypeError, match="float32"):
        splat(*gaussians(3), views(1), sh=torch.zeros(3, 4, 3, dtype=torch.float64))
