"""Texture sampling against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch.nn.functional import avg_pool2d
from torch.testing import assert_close

from distill3d.camera import look_at
from distill3d.ops import backends
from distill3d.ops.footprint import LONGEST, footprint
from distill3d.ops.interpolate import interpolate, interpolate_derivatives
from distill3d.ops.mesh import rasterize
from distill3d.ops.texture import anisotropic, bilinear, mip_levels, nearest
from tests.ops.machines import compiled, usable
from tests.ops.meshes import above, on, random, random_like, square, square_faces


@pytest.fixture(params=usable("texture", "d3d_texture"), ids=str)
def backend(request):
    with on(request.param) as name:
        yield name


@pytest.fixture(params=compiled("texture", "d3d_texture"), ids=str)
def kernel(request):
    with on(request.param) as name:
        yield name


def uv_everywhere(*, pictures: int = 2, seed: int = 3) -> torch.Tensor:
    return 0.5 + random(pictures, 6, 5, 2, seed=seed)


def footprints(uv: torch.Tensor, size: float = 0.3) -> torch.Tensor:
    return size * random_like([uv.new_empty(*uv.shape, 2)])[0]


def texel_centres(height: int, width: int) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([columns / width, rows / height], -1)[None]


# Laws


@pytest.mark.parametrize("repeats", [True, False])
def test_a_constant_texture_is_constant(backend, repeats):
    texture, uv = torch.full((6, 5, 3), 0.7), uv_everywhere()
    expected = torch.full((*uv.shape[:-1], 3), 0.7)
    assert_close(nearest(texture, uv, repeats=repeats), expected)
    assert_close(bilinear(texture, uv, repeats=repeats), expected)
    assert_close(anisotropic(texture, uv, footprints(uv), repeats=repeats), expected)


@pytest.mark.parametrize("sample", [nearest, bilinear])
def test_a_texels_centre_shows_the_texel(backend, sample):
    texture = torch.rand(4, 7, 2)
    assert_close(sample(texture, texel_centres(4, 7)), texture[None], rtol=0, atol=1e-5)


def test_half_way_between_two_texels_is_their_mean(backend):
    texture = torch.tensor([[[0.0], [1.0], [4.0], [9.0]]])
    uv = torch.tensor([[[[0.25, 0.5], [0.5, 0.5], [0.75, 0.5], [1.0, 0.5], [0.0, 0.5]]]])
    assert_close(bilinear(texture, uv)[0, 0, :, 0], torch.tensor([0.5, 2.5, 6.5, 4.5, 4.5]))
    assert_close(bilinear(texture, uv, repeats=False)[0, 0, :, 0], torch.tensor([0.5, 2.5, 6.5, 9.0, 0.0]))


def test_outside_the_texture_repeats_or_its_border_goes_on(backend):
    texture, uv = torch.rand(4, 8, 3), uv_everywhere()
    for sample in (nearest, bilinear):
        assert_close(sample(texture, uv), sample(texture, uv + torch.tensor([2.0, -3.0])), rtol=0, atol=1e-4)
        assert_close(
            sample(texture, uv, repeats=False),
            sample(texture, uv.clamp(0, 1), repeats=False),
            rtol=0,
            atol=1e-6,
        )


def test_u_runs_along_rows_and_v_down_columns(backend):
    texture = torch.zeros(2, 2, 1)
    texture[0, 1] = 1
    assert nearest(texture, torch.tensor([[[[0.9, 0.1]]]])).item() == 1


@pytest.mark.parametrize("side", [1, 4, 12])
def test_a_footprint_of_a_texel_or_less_is_bilinear(backend, side):
    texture, uv = torch.rand(side, side, 2), uv_everywhere()
    derivatives = footprints(uv, 1e-3 / side)
    assert_close(anisotropic(texture, uv, derivatives), bilinear(texture, uv), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("across", "along", "step"),
    [(1.0, 0.1, 1), (2.0, 2.0, 2), (2.0, 0.5, 1), (3.0, 8.0, 3), (0.01, 0.2, 1), (20.0, 1.0, 20 / LONGEST)],
)
def test_steps_are_as_long_as_the_shorter_axis_and_along_the_longer(across, along, step):
    turn = torch.tensor([[math.cos(0.4), -math.sin(0.4)], [math.sin(0.4), math.cos(0.4)]])
    spin = torch.tensor([[math.cos(1.1), -math.sin(1.1)], [math.sin(1.1), math.cos(1.1)]])
    pixel = turn @ torch.diag(torch.tensor([across, along])) @ spin / torch.tensor([[64.0], [32.0]])
    level, length, *step_uv = footprint(pixel, 64, 32, 7).tolist()
    assert level == pytest.approx(math.log2(step), abs=1e-4)
    assert length == pytest.approx(max(across, along, 1) / step, rel=1e-4)
    if across != along:
        way = turn[:, 0 if across > along else 1] * step
        found = torch.tensor(step_uv) * torch.tensor([64.0, 32.0])
        assert_close(found * (found @ way).sign(), way, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("level", [0.0, 1.0, 2.4])
def test_a_round_footprint_is_linear_between_two_mip_levels(backend, level):
    texture, uv = torch.rand(16, 16, 3), uv_everywhere()
    turn = torch.tensor([[math.cos(0.4), -math.sin(0.4)], [math.sin(0.4), math.cos(0.4)]])
    values = anisotropic(texture, uv, (2**level / 16 * turn).expand(*uv.shape[:-1], 2, 2))
    levels = mip_levels(texture[None])
    near, far = (bilinear(levels[int(i)][0], uv) for i in (math.floor(level), math.ceil(level)))
    assert_close(values, near + (level - math.floor(level)) * (far - near), rtol=0, atol=2e-5)


def test_a_long_footprint_is_the_mean_along_it(backend):
    """Of a texture that changes across alone, however fine, a footprint that runs down it blurs nothing."""
    texture = torch.rand(64, 3).expand(64, 64, 3)
    uv = uv_everywhere()
    down = torch.tensor([[0.5 / 64, 0.0], [0.0, 12.0 / 64]]).expand(*uv.shape[:-1], 2, 2)
    assert_close(anisotropic(texture, uv, down), bilinear(texture, uv), rtol=0, atol=1e-5)
    across = down.flip(-2)
    moved = (uv[..., None, 0] + (torch.arange(1200) + 0.5) / 100 / 64 - 6 / 64).flatten(2)
    mean = (
        bilinear(texture, torch.stack([moved, torch.zeros_like(moved)], -1)).unflatten(2, (-1, 1200)).mean(3)
    )
    assert_close(anisotropic(texture, uv, across), mean, rtol=0, atol=0.02)


def test_a_footprint_that_grows_changes_the_picture_without_a_jump(backend):
    texture, count = torch.rand(64, 64, 1, generator=torch.Generator().manual_seed(0)), 3000
    uv = torch.tensor([0.31, 0.77]).expand(1, 1, count, 2)
    length = torch.linspace(1, 18, count)
    pixels = torch.diag_embed(torch.stack([length, torch.ones(count)], -1)) / 64
    values = anisotropic(texture, uv, pixels[None, None])[0, 0, :, 0]
    assert values.diff().abs().max() < 0.01
    assert values.std() > 0.02


def test_levels_halve_down_to_one_texel_and_keep_the_mean_of_even_textures():
    texture = torch.rand(1, 16, 4, 3)
    levels = mip_levels(texture)
    assert [tuple(level.shape[1:3]) for level in levels] == [(16, 4), (8, 2), (4, 1), (2, 1), (1, 1)]
    assert_close(levels[-1][0, 0, 0], texture.mean((0, 1, 2)))


def test_a_checkerboard_too_fine_for_the_picture_is_grey(backend):
    board = ((torch.arange(256)[:, None] + torch.arange(256)) % 2).float()[..., None]
    camera = above(4.0, width=16)
    fragments = rasterize(square(), square_faces(), camera, derivatives=True)
    uv = (square()[:, :2] + 1) / 2
    at, slopes = (
        interpolate(uv, square_faces(), fragments),
        interpolate_derivatives(uv, square_faces(), fragments),
    )
    seen = fragments.triangle >= 0
    grey = anisotropic(board, at, slopes)[seen]
    assert_close(grey, torch.full_like(grey, 0.5), rtol=0, atol=0.01)
    assert bilinear(board, at)[seen].std() > 0.2


def test_a_board_seen_at_a_grazing_angle_is_near_its_supersampled_picture(backend):
    """Within 33 dB; the mip level of the longer axis alone reaches 21."""
    board = ((torch.arange(64)[:, None] // 4 + torch.arange(64) // 4) % 2).float()[..., None]
    eye = torch.tensor([0.0, -2.2, 0.35])
    fine, coarse = (
        look_at(eye[None], torch.zeros(1, 3), fov_y_rad=0.6, width=side, height=side) for side in (384, 48)
    )
    uv = (square()[:, :2] + 1) / 2
    pictures = []
    for camera in (fine, coarse):
        seen = rasterize(square(), square_faces(), camera, derivatives=True)
        at, slopes = (of(uv, square_faces(), seen) for of in (interpolate, interpolate_derivatives))
        sampled = bilinear(board, at) if camera is fine else anisotropic(board, at, slopes)
        pictures.append((sampled, (seen.triangle >= 0).float()[..., None]))
    (sampled, covered), (mine, _) = pictures
    truth, whole = (avg_pool2d(x.movedim(-1, 1), 8).movedim(1, -1) for x in (sampled * covered, covered))
    wrong = (mine - truth)[whole == 1].square().mean()
    assert -10 * wrong.log10() > 33


@pytest.mark.parametrize("repeats", [True, False])
def test_the_gradient_of_the_texture_is_the_adjoint(backend, repeats):
    texture, uv = torch.rand(6, 5, 3, requires_grad=True), uv_everywhere()
    for sample in (nearest, bilinear, partial(anisotropic, derivatives=footprints(uv))):
        values = sample(texture, uv, repeats=repeats)
        cotangent = random_like([values])[0]
        (gradient,) = torch.autograd.grad(values, texture, cotangent)
        assert_close((values * cotangent).sum(), (texture * gradient).sum(), rtol=1e-4, atol=1e-4)


def test_every_picture_may_have_its_own_texture(backend):
    textures, uv = torch.rand(2, 4, 6, 3), uv_everywhere()
    derivatives = footprints(uv)
    for sample in (nearest, bilinear):
        together = sample(textures, uv)
        assert all(torch.equal(together[i], sample(textures[i], uv[i])) for i in range(2))
    together = anisotropic(textures, uv, derivatives)
    for i in range(2):
        assert torch.equal(together[i], anisotropic(textures[i], uv[i], derivatives[i]))


# The kernels against the definition in float64


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("size", [(16, 8), (5, 7), (1, 1), (1, 4)])
def test_values_and_gradients_are_those_of_the_definition(kernel, size, repeats):
    uv = uv_everywhere()
    inputs = [random(*size, 3), uv, footprints(uv)]
    results = []
    for name, dtype in ((kernel, torch.float32), ("reference", torch.float64)):
        leaves = [values.to(dtype).requires_grad_() for values in inputs]
        with backends.use(name):
            values = [bilinear(*leaves[:2], repeats=repeats), anisotropic(*leaves, repeats=repeats)]
        results.append((*values, *torch.autograd.grad(values, leaves, random_like(values))))
    for ours, exact in zip(*results, strict=True):
        assert_close(ours.double(), exact, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("repeats", [True, False])
def test_the_definitions_own_gradient_is_its_derivative(repeats):
    uv = uv_everywhere(pictures=1)[:, :2, :2].double()
    inputs = [random(3, 4, 2).double(), uv, footprints(uv)]
    with backends.use("reference"):
        assert torch.autograd.gradcheck(
            partial(anisotropic, repeats=repeats),
            [values.requires_grad_() for values in inputs],
            fast_mode=True,
        )


# Poison


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("repeats", [True, False])
def test_coordinates_that_are_not_finite_give_nothing(backend, value, repeats):
    texture, uv = torch.rand(4, 4, 3, requires_grad=True), uv_everywhere()
    uv[0, 0, 0, 1] = value
    uv.requires_grad_()
    derivatives = footprints(uv.detach())
    derivatives[0, 1, 1, 0, 1] = value
    derivatives.requires_grad_()
    for values in (
        nearest(texture, uv, repeats=repeats),
        bilinear(texture, uv, repeats=repeats),
        anisotropic(texture, uv, derivatives, repeats=repeats),
    ):
        assert values.isfinite().all()
        assert values[0, 0, 0].abs().max() == 0
        for gradient in torch.autograd.grad(values.sum(), [texture, uv, derivatives], allow_unused=True):
            assert gradient is None or gradient.isfinite().all()


@pytest.mark.parametrize("value", [1e30, -1e30, 16777217.0])
def test_coordinates_far_outside_are_drawn(backend, value):
    texture, uv = torch.rand(4, 4, 3), torch.full((1, 2, 2, 2), value)
    for repeats in (True, False):
        for values in (nearest(texture, uv, repeats=repeats), bilinear(texture, uv, repeats=repeats)):
            assert values.min() >= 0
            assert values.max() <= 1


def test_no_sample_is_no_value_and_no_gradient(backend):
    texture, uv = torch.rand(4, 4, 3, requires_grad=True), torch.empty(0, 5, 5, 2)
    values = anisotropic(texture, uv, torch.empty(0, 5, 5, 2, 2))
    assert values.shape == (0, 5, 5, 3)
    assert torch.autograd.grad(values.sum(), texture)[0].abs().max() == 0


# The operator


def test_two_runs_and_any_number_of_threads_give_the_same_bits():
    texture, uv = torch.rand(8, 8, 3), uv_everywhere().requires_grad_()
    threads, results = torch.get_num_threads(), []
    try:
        for count in (2, 1, 3):
            torch.set_num_threads(count)
            leaf = texture.clone().requires_grad_()
            values = anisotropic(leaf, uv, footprints(uv.detach()))
            results.append(torch.autograd.grad(values, [leaf, uv], random_like([values])))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("levels", [1, 2])
def test_the_operator_keeps_torchs_contracts(kernel, levels):
    pyramid = torch.rand(2, 16 + 4 * (levels - 1), 3, requires_grad=True)
    uv = torch.rand(2, 10, 2, requires_grad=True)
    covered = torch.rand(2, 10, 4, requires_grad=True) if levels > 1 else None
    torch.library.opcheck(
        torch.ops.distill3d.texture.default,
        (kernel, pyramid, uv, covered, 4, 4, levels, True),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_inputs_need_not_be_contiguous(backend):
    texture, uv = torch.rand(4, 6, 3), uv_everywhere()
    turned = texture.movedim(0, 1).contiguous().movedim(1, 0)
    assert not turned.is_contiguous()
    assert torch.equal(bilinear(turned, uv), bilinear(texture, uv))


# Errors


def test_shapes_that_do_not_agree_are_refused():
    uv = uv_everywhere()
    with pytest.raises((ValueError, TypeError), match="texture"):
        bilinear(torch.rand(4, 3), uv)
    with pytest.raises(ValueError, match="with a texel or more"):
        bilinear(torch.rand(0, 4, 3), uv)
    with pytest.raises(ValueError, match="as many as there are pictures"):
        bilinear(torch.rand(3, 4, 4, 3), uv)
    with pytest.raises((ValueError, TypeError), match="derivatives"):
        anisotropic(torch.rand(4, 4, 3), uv, torch.zeros(1, 1, 1, 2, 2))


def test_other_float_types_are_refused_by_name():
    with pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        bilinear(torch.rand(4, 4, 3).double(), uv_everywhere())
