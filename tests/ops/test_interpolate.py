"""`interpolate` against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from distill3d.ops import backends
from distill3d.ops.interpolate import interpolate, interpolate_corners, interpolate_derivatives
from distill3d.ops.mesh import Fragments, rasterize
from tests.ops.machines import compiled, usable
from tests.ops.meshes import above, on, random, random_like, sphere, square, square_faces
from tests.ops.scenes import views


@pytest.fixture(params=usable("interpolate", "d3d_interpolate"), ids=str)
def backend(request):
    with on(request.param) as name:
        yield name


@pytest.fixture(params=compiled("interpolate", "d3d_interpolate"), ids=str)
def kernel(request):
    with on(request.param) as name:
        yield name


def fragments_of_a_ball(*, derivatives: bool = False) -> tuple[torch.Tensor, torch.Tensor, Fragments]:
    vertices, faces = sphere(2)
    return vertices, faces, rasterize(vertices, faces, views(2), derivatives=derivatives)


def test_positions_as_attributes_are_the_points_that_rays_meet(backend):
    vertices, faces, fragments = fragments_of_a_ball()
    origins, directions = views(2).rays()
    seen = fragments.triangle >= 0
    points = interpolate(vertices, faces, fragments)
    expected = origins + directions * fragments.depth[..., None]
    assert_close(points[seen], expected[seen], rtol=0, atol=5e-5)
    assert points[~seen].abs().max() == 0


@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4, 9])
def test_a_constant_stays_what_it_is(backend, channels):
    vertices, faces, fragments = fragments_of_a_ball()
    values = interpolate(torch.full((len(vertices), channels), 0.7), faces, fragments)
    assert values.shape == (*fragments.triangle.shape, channels)
    assert_close(values, 0.7 * (fragments.triangle >= 0)[..., None].expand_as(values).float())


def test_attributes_of_corners_may_differ_between_faces(backend):
    _, faces, fragments = fragments_of_a_ball()
    numbers = torch.arange(float(len(faces)))[:, None, None].expand(-1, 3, 1)
    seen = fragments.triangle >= 0
    values = interpolate_corners(numbers, fragments)[..., 0]
    assert_close(values[seen], fragments.triangle[seen].float(), rtol=1e-5, atol=0)


def test_the_gradient_is_the_adjoint(backend):
    vertices, faces, fragments = fragments_of_a_ball()
    attributes = random(len(vertices), 5).requires_grad_()
    values = interpolate(attributes, faces, fragments)
    cotangent = random_like([values], seed=2)[0]
    (gradient,) = torch.autograd.grad(values, attributes, cotangent)
    assert_close((values * cotangent).sum(), (attributes * gradient).sum(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 9])
def test_values_and_gradients_are_those_of_the_definition(kernel, channels):
    vertices, faces, fragments = fragments_of_a_ball()
    attributes = random(len(vertices), channels)
    results = []
    for name, dtype in ((kernel, torch.float32), ("reference", torch.float64)):
        leaves = [attributes.to(dtype).requires_grad_(), fragments.barycentric.to(dtype).requires_grad_()]
        with backends.use(name):
            values = interpolate(leaves[0], faces, replace(fragments, barycentric=leaves[1]))
        gradients = torch.autograd.grad(values, leaves, random_like([values]))
        results.append((values, *gradients))
    for ours, exact in zip(*results, strict=True):
        assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5)


def test_the_definitions_own_gradient_is_its_derivative():
    fragments = rasterize(square(), square_faces(), above(3.0, width=5))
    weights = fragments.barycentric.double().requires_grad_()
    attributes = random(4, 2).double().requires_grad_()

    def drawn(attributes, weights):
        return interpolate(attributes, square_faces(), replace(fragments, barycentric=weights))

    with backends.use("reference"):
        assert torch.autograd.gradcheck(drawn, (attributes, weights), fast_mode=True)


def test_derivatives_are_the_slopes_of_the_picture(backend):
    # A plane across the view: attributes are linear in the picture, so differences are exact.
    camera = above(1.2, width=24)
    fragments = rasterize(2 * square(), square_faces(), camera, derivatives=True)
    uv = square()[:, :2] * torch.tensor([0.5, 2.0])
    values, slopes = (
        interpolate(uv, square_faces(), fragments),
        interpolate_derivatives(uv, square_faces(), fragments),
    )
    assert_close(slopes[0, :, :-1, :, 0], values[0].diff(dim=1), rtol=0, atol=1e-5)
    assert_close(slopes[0, :-1, :, :, 1], values[0].diff(dim=0), rtol=0, atol=1e-5)


def test_derivatives_that_were_not_made_are_asked_for():
    vertices, faces, fragments = fragments_of_a_ball()
    with pytest.raises(ValueError, match="derivatives=True"):
        interpolate_derivatives(vertices, faces, fragments)


def test_a_poisoned_attribute_stays_where_it_is(backend):
    vertices, faces, fragments = fragments_of_a_ball()
    poisoned = vertices.clone()
    poisoned[3] = torch.nan
    values = interpolate(poisoned, faces, fragments)
    touched = (faces == 3).any(1)[fragments.triangle.clamp_min(0).long()] & (fragments.triangle >= 0)
    assert values[~touched].isfinite().all()


def test_nothing_seen_is_an_empty_picture_with_gradients_of_zero(backend):
    attributes = torch.ones(4, 3, requires_grad=True)
    fragments = rasterize(square(), square_faces()[:0], above(3.0))
    values = interpolate(attributes, square_faces(), fragments)
    assert values.abs().max() == 0
    assert torch.autograd.grad(values.sum(), attributes)[0].abs().max() == 0


def test_two_runs_and_any_number_of_threads_give_the_same_bits():
    vertices, faces, fragments = fragments_of_a_ball()
    threads, gradients = torch.get_num_threads(), []
    try:
        for count in (2, 1, 3):
            torch.set_num_threads(count)
            attributes = vertices.clone().requires_grad_()
            values = interpolate(attributes, faces, fragments)
            gradients += torch.autograd.grad(values, attributes, random_like([values]))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(gradients[0], other) for other in gradients[1:])


def test_the_operator_keeps_torchs_contracts(kernel):
    vertices, faces, fragments = fragments_of_a_ball()
    weights = fragments.barycentric.reshape(-1, 3).requires_grad_()
    torch.library.opcheck(
        torch.ops.distill3d.interpolate.default,
        (kernel, vertices.requires_grad_(), faces, fragments.triangle.reshape(-1), weights),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_inputs_need_not_be_contiguous(backend):
    vertices, faces, fragments = fragments_of_a_ball()
    strided = torch.stack([vertices, vertices], -1)[..., 0]
    assert torch.equal(interpolate(strided, faces, fragments), interpolate(vertices, faces, fragments))


def test_indices_without_their_row_are_refused():
    vertices, faces, fragments = fragments_of_a_ball()
    with pytest.raises(IndexError, match="given indices with corners 0 to 161, expected 0 to 99"):
        interpolate(vertices[:100], faces, fragments)


def test_fragments_of_another_mesh_are_refused():
    _, _, fragments = fragments_of_a_ball()
    with pytest.raises(ValueError, match="given indices of 2 faces, expected more than"):
        interpolate(square(), square_faces(), fragments)


def test_other_float_types_are_refused_by_name():
    vertices, faces, fragments = fragments_of_a_ball()
    with pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        interpolate(vertices.double(), faces, fragments)
