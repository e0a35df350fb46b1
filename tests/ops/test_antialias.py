"""`antialias` against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from distill3d.camera import Cameras, look_at
from distill3d.ops import _library, backends
from distill3d.ops.antialias import antialias, opposite_corners
from distill3d.ops.mesh import rasterize
from tests.ops.machines import compiled, usable
from tests.ops.meshes import above, on, random, random_like, soup, sphere, square, square_faces
from tests.ops.scenes import views


@pytest.fixture(params=usable("antialias", "d3d_antialias"), ids=str)
def backend(request):
    with on(request.param) as name:
        yield name


@pytest.fixture(params=compiled("antialias", "d3d_antialias"), ids=str)
def kernel(request):
    with on(request.param) as name:
        yield name


def coverage(vertices: torch.Tensor, faces: torch.Tensor, cameras: Cameras) -> torch.Tensor:
    """Alpha with soft silhouettes."""
    fragments = rasterize(vertices, faces, cameras)
    mask = (fragments.triangle >= 0).to(vertices)[..., None]
    return antialias(mask, fragments, vertices, faces, cameras)


# Laws


@pytest.mark.parametrize("half", [0.31, 0.4, 0.477])
def test_a_square_across_the_view_covers_its_area(backend, half):
    camera = above(3.0)
    vertices = half * square()
    side_px = 2 * half * float(camera.intrinsics[0, 0]) / 3
    alpha = coverage(vertices, square_faces(), camera)
    assert float(alpha.sum()) == pytest.approx(side_px**2, rel=1e-4)


@pytest.mark.parametrize("subdivisions", [2, 4])
def test_the_area_of_a_sphere_and_its_growth_with_the_radius_are_those_of_its_disc(backend, subdivisions):
    # The second sphere's faces are smaller than a pixel: the way to the silhouette leads over several.
    ball, faces = sphere(subdivisions)
    distance, value = 3.0, 0.8
    cameras = views(1)
    radius = torch.tensor(value, requires_grad=True)
    area = coverage(radius * ball, faces, cameras).sum()
    (growth,) = torch.autograd.grad(area, radius)
    focal_px = float(cameras.intrinsics[0, 0])
    rest = distance**2 - value**2
    assert area.item() == pytest.approx(math.pi * focal_px**2 * value**2 / rest, rel=0.03)
    assert growth.item() == pytest.approx(2 * math.pi * focal_px**2 * value * distance**2 / rest**2, rel=0.05)


def test_the_gradient_of_the_area_is_what_moving_the_silhouette_gains(backend):
    ball, faces = sphere(2)
    direction = random_like([ball])[0]
    cameras = views(1)
    areas, step = [], 0.02
    for length in torch.linspace(-step, step, 5).tolist():  # a mean, because pixels make the area uneven
        vertices = (ball + length * direction / 10).requires_grad_()
        area = coverage(vertices, faces, cameras).sum()
        (gradient,) = torch.autograd.grad(area, vertices)
        areas.append((area.item(), (gradient * direction / 10).sum().item()))
    gained = (areas[-1][0] - areas[0][0]) / (2 * step)
    promised = sum(slope for _, slope in areas) / len(areas)
    assert gained == pytest.approx(promised, rel=0.1)


def test_within_a_surface_nothing_is_blended(backend):
    camera = above(1.0)
    fragments = rasterize(4 * square(), square_faces(), camera)
    picture = random(1, 32, 32, 3)
    assert torch.equal(antialias(picture, fragments, 4 * square(), square_faces(), camera), picture)


def test_the_nearer_of_two_surfaces_is_blended_over_the_other(backend):
    vertices = torch.cat([4 * square(), 0.3 * square() + torch.tensor([0.0, 0.0, 0.5])])
    faces, camera = torch.cat([square_faces(), square_faces() + 4]), above(3.0)
    fragments = rasterize(vertices, faces, camera)
    near = (fragments.triangle >= 2).float()[..., None]
    side_px = 2 * 0.3 * float(camera.intrinsics[0, 0]) / 2.5
    soft = antialias(near, fragments, vertices, faces, camera)
    assert float(soft.sum()) == pytest.approx(side_px**2, rel=1e-4)


def test_shares_stay_shares_even_of_things_smaller_than_a_pixel(backend):
    vertices, faces = soup(120, scale=0.6)
    vertices = vertices.reshape(-1, 3)
    alpha = coverage(vertices, faces, views(2))
    assert alpha.min() >= -1e-6
    assert alpha.max() <= 1 + 1e-6


def test_the_gradient_is_the_adjoint(backend):
    vertices, faces = sphere(2)
    fragments = rasterize(vertices, faces, views(2))
    picture = random(*fragments.triangle.shape, 5).requires_grad_()
    soft = antialias(picture, fragments, vertices, faces, views(2))
    cotangent = random_like([soft], seed=2)[0]
    (gradient,) = torch.autograd.grad(soft, picture, cotangent)
    assert_close((soft * cotangent).sum(), (picture * gradient).sum(), rtol=1e-4, atol=1e-3)


def test_many_cameras_at_once_are_the_same_as_one_by_one(backend):
    vertices, faces = sphere(1)
    cameras = views(4)
    batch = replace(
        cameras,
        world_to_camera=cameras.world_to_camera.reshape(2, 2, 4, 4),
        intrinsics=cameras.intrinsics.reshape(2, 2, 4),
    )
    together = coverage(vertices, faces, batch)
    for index in range(4):
        assert torch.equal(together.flatten(0, 1)[index], coverage(vertices, faces, cameras[index]))


# The kernels against the definition in float64


@pytest.mark.parametrize("mesh", ["ball", "fine ball", "soup"])
@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_and_gradients_are_those_of_the_definition(kernel, mesh, channels):
    vertices, faces = {"ball": lambda: sphere(1), "fine ball": lambda: sphere(4), "soup": lambda: soup(40)}[
        mesh
    ]()
    cameras = views(2)
    fragments = rasterize(vertices, faces, cameras)
    picture = random(*fragments.triangle.shape, channels)
    results = []
    for name, dtype in ((kernel, torch.float32), ("reference", torch.float64)):
        leaves = [picture.to(dtype).requires_grad_(), vertices.to(dtype).requires_grad_()]
        with backends.use(name):
            soft = antialias(leaves[0], fragments, leaves[1], faces, cameras)
        results.append((soft, *torch.autograd.grad(soft, leaves, random_like([soft]))))
    for ours, exact in zip(*results, strict=True):
        assert (ours - exact).norm() < 1e-3 * exact.norm()
    assert exact.norm() > 1


def test_the_definitions_own_gradient_is_its_derivative():
    vertices = (0.8 * square() + 0.1 * soup(4)[0]).double()
    camera = above(3.1, width=5)
    fragments = rasterize(vertices.float(), square_faces(), camera)
    picture = random(1, 5, 5, 1).double()

    def drawn(picture, moved):
        return antialias(picture, fragments, moved, square_faces(), camera)

    with backends.use("reference"):
        leaves = (picture.requires_grad_(), vertices.requires_grad_())
        assert torch.autograd.gradcheck(drawn, leaves, eps=1e-7, atol=1e-4, fast_mode=True)


# Topology


def test_opposite_corners_lead_across_the_edge_and_back():
    faces = sphere(1)[1]
    opposite = opposite_corners(faces).reshape(-1).long()
    assert (opposite >= 0).all()
    assert torch.equal(opposite[opposite], torch.arange(len(opposite)))
    for corner in range(0, len(opposite), 7):
        sides = [
            set(faces[c // 3].tolist()) - {int(faces.reshape(-1)[c])} for c in (corner, int(opposite[corner]))
        ]
        assert sides[0] == sides[1]


def test_borders_and_edges_of_three_faces_have_nothing_across():
    assert opposite_corners(square_faces()).tolist() == [[-1, 5, -1], [-1, -1, 1]]
    fan = torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    assert (opposite_corners(fan) == -1).all()
    assert opposite_corners(fan[:0]).shape == (0, 3)


# Poison


def test_what_cannot_be_drawn_harms_no_other(backend):
    bad_points = torch.tensor([[math.nan, 0.0, 0.0], [math.inf, 0.0, 1.0]])
    vertices = torch.cat([0.4 * square(), bad_points]).requires_grad_()
    faces = torch.cat([square_faces(), torch.tensor([[0, 1, 4], [1, 2, 5], [0, 0, 1], [2, 2, 2]])])
    alpha = coverage(vertices, faces, above(3.0))
    assert_close(alpha, coverage(0.4 * square(), square_faces(), above(3.0)))
    (gradient,) = torch.autograd.grad(alpha.square().sum(), vertices)
    assert gradient.isfinite().all()
    assert gradient[4:].abs().max() == 0


@pytest.mark.parametrize("eye", [(0.0, 0.0, 0.0), (0.999, 0.0, 0.0), (1.0, 0.0, 0.0), (1.05, 0.0, 0.0)])
@pytest.mark.parametrize("size", [(1, 1), (7, 1), (1, 7), (12, 9)])
def test_a_camera_inside_or_on_the_surface_gets_finite_pictures(backend, eye, size):
    vertices, faces = sphere(1)
    vertices.requires_grad_()
    camera = look_at(torch.tensor([eye]), [0.0, 0.0, 0.7], fov_y_rad=1.2, width=size[0], height=size[1])
    alpha = coverage(vertices, faces, camera)
    (gradient,) = torch.autograd.grad(alpha.square().sum(), vertices)
    assert alpha.isfinite().all()
    assert gradient.isfinite().all()


def test_an_empty_mesh_or_picture_is_left_as_it_is(backend):
    assert coverage(square(), square_faces()[:0], above(3.0)).abs().max() == 0
    fragments = rasterize(square(), square_faces(), above(3.0))
    nothing = torch.empty(1, 32, 32, 0)
    assert antialias(nothing, fragments, square(), square_faces(), above(3.0)).shape == nothing.shape


# The operator


def test_two_runs_and_any_number_of_threads_give_the_same_bits():
    ball, faces = sphere(2)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (2, 1, 3):
            torch.set_num_threads(count)
            vertices = ball.clone().requires_grad_()
            alpha = coverage(vertices, faces, views(3))
            results.append((alpha, *torch.autograd.grad(alpha, vertices, random_like([alpha]))))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_the_operator_keeps_torchs_contracts(kernel):
    vertices, faces = sphere(1)
    fragments = rasterize(vertices, faces, views(2))
    picture = torch.rand(*fragments.triangle.shape, 2, requires_grad=True)
    arguments = (picture, fragments.triangle, fragments.depth, vertices.requires_grad_(), faces)
    arguments = (*arguments, opposite_corners(faces), *_library.flat(views(2)), 0.01, 1e4)
    torch.library.opcheck(
        torch.ops.distill3d.antialias.default,
        (kernel, *arguments),
        test_utils=("test_autograd_registration", "test_faketensor"),
    )


def test_inputs_need_not_be_contiguous(backend):
    vertices, faces = sphere(1)
    strided = [torch.stack([values, values], -1)[..., 0] for values in (vertices, faces)]
    assert torch.equal(coverage(*strided, views(1)), coverage(vertices, faces, views(1)))


# Errors


def test_pictures_of_another_size_are_refused():
    vertices, faces = sphere(1)
    fragments = rasterize(vertices, faces, views(1))
    with pytest.raises(ValueError, match=r"given a picture of \(1, 9, 9\) pixels, expected the cameras'"):
        antialias(torch.zeros(1, 9, 9, 3), fragments, vertices, faces, views(1))


def test_opposites_of_another_mesh_are_refused():
    vertices, faces = sphere(1)
    fragments = rasterize(vertices, faces, views(1))
    picture = torch.zeros(*fragments.triangle.shape, 1)
    with pytest.raises((ValueError, TypeError), match="opposite"):
        antialias(picture, fragments, vertices, faces, views(1), opposite=opposite_corners(square_faces()))
