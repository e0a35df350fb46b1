"""`rasterize` against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from distill3d.camera import look_at
from distill3d.ops import _library, backends
from distill3d.ops.mesh import rasterize
from tests.ops.machines import compiled, usable
from tests.ops.meshes import above, on, random_like, soup, sphere, square, square_faces
from tests.ops.scenes import views


@pytest.fixture(params=usable("mesh"), ids=str)
def backend(request):
    with on(request.param) as name:
        yield name


@pytest.fixture(params=compiled("mesh"), ids=str)
def kernel(request):
    with on(request.param) as name:
        yield name


def test_a_sphere_covers_the_disc_of_its_tangent_cone(backend):
    radius, distance = 0.9, 3.0
    vertices, faces = sphere(4, radius)
    cameras = views(1, width=64, height=64)
    covered = (rasterize(vertices, faces, cameras).triangle >= 0).sum()
    disc_px = cameras.intrinsics[0, 0] * math.tan(math.asin(radius / distance))
    assert covered == pytest.approx(float(math.pi * disc_px**2), rel=0.01)


def test_a_sphere_is_as_near_as_its_surface_along_each_ray(backend):
    vertices, faces = sphere(4)
    cameras = views(1, width=32, height=32)
    fragments = rasterize(vertices, faces, cameras)
    origins, directions = cameras.rays()
    a, b = directions.square().sum(-1), (origins * directions).sum(-1)
    discriminant = b * b - a * (origins.square().sum(-1) - 1)
    inner = (fragments.triangle >= 0) & (discriminant > 0.1)
    expected = (-b - discriminant.clamp_min(0).sqrt()) / a
    assert_close(fragments.depth[inner], expected[inner], rtol=0, atol=5e-3)


def test_a_plane_across_the_view_is_equally_far_everywhere_without_a_seam(backend):
    fragments = rasterize(2 * square(), square_faces(), above(3.0))
    assert (fragments.triangle >= 0).all()
    assert_close(fragments.depth, torch.full_like(fragments.depth, 3.0))


def test_both_sides_of_a_triangle_are_drawn(backend):
    front = rasterize(square(), square_faces(), above(3.0))
    back = rasterize(square(), square_faces().flip(1), above(3.0))
    assert (front.triangle >= 0).any()
    assert torch.equal(front.triangle, back.triangle)
    assert_close(front.barycentric, back.barycentric.flip(-1))


def test_barycentrics_lead_from_the_corners_to_the_point_on_the_ray(backend):
    vertices, faces = sphere(2)
    cameras = views(2)
    fragments = rasterize(vertices, faces, cameras)
    seen = fragments.triangle >= 0
    corners = vertices[faces[fragments.triangle[seen].long()]]
    points = (fragments.barycentric[seen][..., None] * corners).sum(-2)
    origins, directions = cameras.rays()
    expected = origins + directions * fragments.depth[..., None]
    assert_close(points, expected[seen], rtol=0, atol=5e-5)
    assert_close(fragments.barycentric.sum(-1), seen.float())
    assert fragments.barycentric.min() >= 0


def test_the_nearer_of_two_planes_is_seen_in_either_order(backend):
    lifted = square() + torch.tensor([0.0, 0.0, 1.0])
    for first, second, nearer in ((square(), lifted, 1), (lifted, square(), 0)):
        fragments = rasterize(
            torch.cat([first, second]), torch.cat([square_faces(), square_faces() + 4]), above(3.0)
        )
        centre = fragments.triangle[0, 12:20, 12:20]
        assert (centre // 2 == nearer).all()
        assert_close(fragments.depth[0, 16, 16], torch.tensor(2.0))


def test_of_two_triangles_in_one_place_the_first_is_seen(backend):
    fragments = rasterize(square(), torch.cat([square_faces(), square_faces()]), above(3.0))
    assert fragments.triangle.max() == 1


def test_a_triangle_through_the_near_plane_is_cut_there(backend):
    # A floor that runs from behind the camera to the horizon: all that is drawn lies below it and in front.
    floor = torch.tensor([[-50.0, -50.0, -1.0], [50.0, -50.0, -1.0], [50.0, 50.0, -1.0], [-50.0, 50.0, -1.0]])
    camera = look_at(torch.zeros(1, 3), [1.0, 0.0, 0.0], fov_y_rad=1.5, width=32, height=32)
    camera = replace(camera, near=2.0)
    fragments = rasterize(floor, square_faces(), camera)
    rows_below = torch.arange(32) + 0.5 - 16
    depth = camera.intrinsics[0, 1] / rows_below
    expected = ((depth >= 2) & (depth < 50))[None, :, None].expand(1, 32, 32)
    assert torch.equal(fragments.triangle >= 0, expected)
    drawn = fragments.depth[0, :, 16][expected[0, :, 16]]
    assert_close(drawn, depth[expected[0, :, 16]], rtol=1e-4, atol=0)


@pytest.mark.parametrize("scale", [0.05, 1.0, 4.0])
def test_fragments_are_those_of_the_definition(kernel, scale):
    vertices, faces = soup(200, scale=scale)
    cameras = views(3, width=45, height=37)
    ours = rasterize(vertices, faces, cameras, derivatives=True)
    with backends.use("reference"):
        exact = rasterize(vertices.double(), faces, cameras, derivatives=True)
    same = ours.triangle == exact.triangle
    assert same.float().mean() > 0.999  # edges through pixel centres, and triangles of equal depth
    assert_close(ours.depth[same].double(), exact.depth[same], rtol=1e-4, atol=0)
    assert (ours.barycentric[same] - exact.barycentric[same]).abs().max() < 1e-3
    error = (ours.derivatives - exact.derivatives)[same].norm()
    assert error < 1e-3 * exact.derivatives[same].norm()


def test_derivatives_are_how_barycentrics_change_from_pixel_to_pixel(backend):
    fragments = rasterize(square(), square_faces()[:1], above(1.2, width=64), derivatives=True)
    seen = fragments.triangle[0] == 0
    steps = {(0, 1): fragments.barycentric[0].diff(dim=1), (1, 0): fragments.barycentric[0].diff(dim=0)}
    for axis, ((down, right), step) in enumerate(steps.items()):
        both = seen[: 64 - down, : 64 - right] & seen[down:, right:]
        slope = fragments.derivatives[0, : 64 - down, : 64 - right, :, axis]
        assert_close(slope[both], step[both], rtol=0, atol=1e-4)
    assert fragments.derivatives[0][~seen].abs().max() == 0


# Gradients


def gradient_of_vertices(backend: str, vertices, faces, cameras, dtype) -> torch.Tensor:
    vertices = vertices.to(dtype).requires_grad_()
    with backends.use(backend):
        fragments = rasterize(vertices, faces, cameras)
    pictures = [fragments.barycentric, fragments.depth]
    return torch.autograd.grad(pictures, vertices, random_like(pictures))[0]


def test_gradients_are_those_of_the_definition(kernel):
    vertices, faces = sphere(2)
    vertices = vertices + 0.05 * soup(len(vertices))[0]
    cameras = views(3)
    ours = gradient_of_vertices(kernel, vertices, faces, cameras, torch.float32)
    exact = gradient_of_vertices("reference", vertices, faces, cameras, torch.float64)
    assert (ours - exact).norm() < 1e-3 * exact.norm()


def test_the_definitions_own_gradient_is_its_derivative():
    vertices = torch.tensor(square().tolist(), dtype=torch.float64) * 0.9
    vertices += 0.1 * soup(4)[0]  # so that no edge goes through a pixel's centre
    camera = above(3.1, width=9)

    def drawn(moved):
        fragments = rasterize(moved, square_faces(), camera)
        return fragments.barycentric, fragments.depth

    with backends.use("reference"):
        assert torch.autograd.gradcheck(drawn, vertices.requires_grad_(), eps=1e-7, atol=1e-5, fast_mode=True)


def test_gradients_in_double_are_derivatives(tmp_path):
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    here, program = Path(__file__).parent, tmp_path / "gradients"
    command = [compiler, "-std=c++17", "-O1", "-Wno-psabi", f"-I{here.parents[1] / 'cuda' / 'include'}"]
    subprocess.run([*command, str(here / "mesh_gradients.cpp"), "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_moving_a_plane_away_moves_its_depth_as_much(backend):
    vertices = (2 * square()).requires_grad_()
    depth = rasterize(vertices, square_faces(), above(3.0)).depth
    (gradient,) = torch.autograd.grad(depth.sum(), vertices)
    assert_close(gradient[:, 2].sum(), torch.tensor(-float(depth.numel())), rtol=1e-4, atol=0)
    assert gradient[:, :2].abs().max() < 1e-2


def test_depth_and_barycentrics_may_each_be_left_without_a_gradient(backend):
    for name in ("depth", "barycentric"):
        vertices = square().clone().requires_grad_()
        picture = getattr(rasterize(vertices, square_faces(), above(3.0)), name)
        (gradient,) = torch.autograd.grad(picture.square().sum(), vertices)
        assert gradient.isfinite().all() and gradient.abs().max() > 0


def test_two_runs_and_any_number_of_threads_give_the_same_bits():
    vertices, faces = sphere(2)
    threads = torch.get_num_threads()
    try:
        runs = []
        for count in (2, 1, 3):
            torch.set_num_threads(count)
            runs.append(gradient_of_vertices("cpu", vertices, faces, views(3), torch.float32))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(runs[0], runs[1])
    assert torch.equal(runs[0], runs[2])


def test_what_cannot_be_drawn_harms_no_other(backend):
    vertices = torch.cat(
        [square(), torch.tensor([[math.nan, 0.0, 0.0], [math.inf, 0.0, 1.0], [0.0, 0.0, 9.0]])]
    ).requires_grad_()
    bad = torch.tensor([[0, 1, 4], [0, 1, 5], [0, 0, 1], [2, 2, 2]])
    healthy = rasterize(square(), square_faces(), above(3.0))
    poisoned = rasterize(vertices, torch.cat([square_faces(), bad]), above(3.0))
    assert torch.equal(healthy.triangle, poisoned.triangle)
    assert torch.equal(healthy.depth, poisoned.depth)
    (gradient,) = torch.autograd.grad(poisoned.barycentric.square().sum() + poisoned.depth.sum(), vertices)
    assert gradient.isfinite().all()
    assert gradient[4:].abs().max() == 0


@pytest.mark.parametrize("eye", [(0.0, 0.0, 0.0), (0.999, 0.0, 0.0), (1.0, 0.0, 0.0)])
def test_a_camera_inside_or_on_the_surface_gets_finite_pictures(backend, eye):
    vertices, faces = sphere(1)
    vertices.requires_grad_()
    camera = look_at(torch.tensor([eye]), [0.0, 0.0, 0.7], fov_y_rad=1.2, width=12, height=1)
    fragments = rasterize(vertices, faces, camera, derivatives=True)
    (gradient,) = torch.autograd.grad(fragments.barycentric.square().sum() + fragments.depth.sum(), vertices)
    for values in (fragments.barycentric, fragments.depth, fragments.derivatives, gradient):
        assert values.isfinite().all()


def test_no_triangle_is_an_empty_picture(backend):
    fragments = rasterize(square(), square_faces()[:0], above(3.0))
    assert (fragments.triangle == -1).all()
    assert fragments.depth.abs().max() == fragments.barycentric.abs().max() == 0


def test_many_cameras_at_once_are_the_same_as_one_by_one(backend):
    vertices, faces = sphere(2)
    cameras = views(4)
    batch = replace(
        cameras,
        world_to_camera=cameras.world_to_camera.reshape(2, 2, 4, 4),
        intrinsics=cameras.intrinsics.reshape(2, 2, 4),
    )
    together = rasterize(vertices, faces, batch)
    assert together.barycentric.shape == (2, 2, cameras.height, cameras.width, 3)
    for index in range(4):
        alone = rasterize(vertices, faces, cameras[index])
        assert torch.equal(together.triangle.flatten(0, 1)[index], alone.triangle)
        assert torch.equal(together.depth.flatten(0, 1)[index], alone.depth)


def test_the_operator_keeps_torchs_contracts():
    vertices, faces = sphere(1)
    torch.library.opcheck(
        torch.ops.distill3d.rasterize.default,
        ("cpu", vertices.requires_grad_(), faces, *_library.flat(views(2)), 20, 18, 0.01, 1e4, True),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_faces_without_their_vertices_are_refused():
    with pytest.raises(IndexError, match="corners 0 to 3, expected 0 to 2"):
        rasterize(square()[:3], square_faces(), above(3.0))


def test_inputs_need_not_be_contiguous(backend):
    vertices, faces = sphere(1)
    strided = [torch.stack([values, values], -1)[..., 0] for values in (vertices, faces)]
    assert not strided[0].is_contiguous()
    assert torch.equal(rasterize(*strided, views(1)).depth, rasterize(vertices, faces, views(1)).depth)


def test_other_float_types_are_refused_by_name():
    with pytest.raises(TypeError, match=r"float32 and was given torch.float64"):
        rasterize(square().double(), square_faces(), above(3.0))


def test_cameras_that_want_a_gradient_are_refused_by_the_kernels(kernel):
    camera = above(3.0)
    camera = replace(camera, intrinsics=camera.intrinsics.clone().requires_grad_())
    with pytest.raises(ValueError, match="no gradient to cameras"):
        rasterize(square(), square_faces(), camera)


def test_no_camera_is_refused():
    with pytest.raises(ValueError, match="given no camera"):
        rasterize(square(), square_faces(), above(3.0)[:0])
