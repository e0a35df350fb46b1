"""`rasterize` against its laws and its definition; one body for every backend that is usable."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import trimesh
from torch import Tensor
from torch.testing import assert_close

from distill3d.camera import Cameras, look_at
from distill3d.ops import _library, backends
from distill3d.ops.mesh import rasterize
from tests.ops.scenes import views


@pytest.fixture(params=[name for name, state in backends.backends().items() if state == "usable"])
def backend(request):
    with backends.use(request.param):
        yield request.param


def sphere(subdivisions: int, radius: float = 1.0) -> tuple[Tensor, Tensor]:
    ball = trimesh.creation.icosphere(subdivisions, radius)
    return torch.tensor(ball.vertices, dtype=torch.float32), torch.tensor(ball.faces)


def above(height: float, *, width: int = 32) -> Cameras:
    """One camera on +z that looks straight down."""
    return look_at(torch.tensor([[0.0, 0.0, height]]), fov_y_rad=0.8, width=width, height=width)


SQUARE = torch.tensor([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]])
SQUARE_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def test_a_sphere_covers_the_disc_of_its_tangent_cone(backend):
    radius, distance = 0.9, 3.0
    vertices, faces = sphere(4, radius)
    cameras = views(1, width=128, height=128)
    covered = (rasterize(vertices, faces, cameras).triangle >= 0).sum()
    disc_px = cameras.intrinsics[0, 0] * math.tan(math.asin(radius / distance))
    assert covered == pytest.approx(float(math.pi * disc_px**2), rel=0.01)


def test_a_sphere_is_as_near_as_its_surface_along_each_ray(backend):
    vertices, faces = sphere(4)
    cameras = views(2, width=48, height=48)
    fragments = rasterize(vertices, faces, cameras)
    origins, directions = cameras.rays()
    a, b = directions.square().sum(-1), (origins * directions).sum(-1)
    discriminant = b * b - a * (origins.square().sum(-1) - 1)
    inner = (fragments.triangle >= 0) & (discriminant > 0.1)
    expected = (-b - discriminant.clamp_min(0).sqrt()) / a
    assert_close(fragments.depth[inner], expected[inner], rtol=0, atol=5e-3)


def test_a_plane_across_the_view_is_equally_far_everywhere_without_a_seam(backend):
    fragments = rasterize(2 * SQUARE, SQUARE_FACES, above(3.0))
    assert (fragments.triangle >= 0).all()
    assert_close(fragments.depth, torch.full_like(fragments.depth, 3.0))


def test_both_sides_of_a_triangle_are_drawn(backend):
    front = rasterize(SQUARE, SQUARE_FACES, above(3.0))
    back = rasterize(SQUARE, SQUARE_FACES.flip(1), above(3.0))
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
    lifted = SQUARE + torch.tensor([0.0, 0.0, 1.0])
    for first, second, nearer in ((SQUARE, lifted, 1), (lifted, SQUARE, 0)):
        fragments = rasterize(
            torch.cat([first, second]), torch.cat([SQUARE_FACES, SQUARE_FACES + 4]), above(3.0)
        )
        centre = fragments.triangle[0, 12:20, 12:20]
        assert (centre // 2 == nearer).all()
        assert_close(fragments.depth[0, 16, 16], torch.tensor(2.0))


def test_of_two_triangles_in_one_place_the_first_is_seen(backend):
    fragments = rasterize(SQUARE, torch.cat([SQUARE_FACES, SQUARE_FACES]), above(3.0))
    assert fragments.triangle.max() == 1


def test_a_triangle_through_the_near_plane_is_cut_there(backend):
    # A floor that runs from behind the camera to the horizon: all that is drawn lies below it and in front.
    floor = torch.tensor([[-50.0, -50.0, -1.0], [50.0, -50.0, -1.0], [50.0, 50.0, -1.0], [-50.0, 50.0, -1.0]])
    camera = look_at(torch.zeros(1, 3), [1.0, 0.0, 0.0], fov_y_rad=1.5, width=32, height=32)
    camera = replace(camera, near=2.0)
    fragments = rasterize(floor, SQUARE_FACES, camera)
    rows_below = torch.arange(32) + 0.5 - 16
    depth = camera.intrinsics[0, 1] / rows_below
    expected = ((depth >= 2) & (depth < 50))[None, :, None].expand(1, 32, 32)
    assert torch.equal(fragments.triangle >= 0, expected)
    drawn = fragments.depth[0, :, 16][expected[0, :, 16]]
    assert_close(drawn, depth[expected[0, :, 16]], rtol=1e-4, atol=0)


@pytest.mark.parametrize("scale", [0.05, 1.0, 4.0])
def test_fragments_are_those_of_the_definition(scale):
    generator = torch.Generator().manual_seed(4)
    vertices = scale * torch.randn(200, 3, generator=generator)
    faces = torch.randint(200, (150, 3), generator=generator)
    cameras = views(3, width=45, height=37)
    ours = rasterize(vertices, faces, cameras)
    with backends.use("reference"):
        exact = rasterize(vertices.double(), faces, cameras)
    same = ours.triangle == exact.triangle
    assert same.float().mean() > 0.999  # edges through pixel centres, and triangles of equal depth
    assert_close(ours.depth[same].double(), exact.depth[same], rtol=1e-4, atol=0)
    assert (ours.barycentric[same] - exact.barycentric[same]).abs().max() < 1e-3


def test_what_cannot_be_drawn_harms_no_other(backend):
    vertices = torch.cat(
        [SQUARE, torch.tensor([[math.nan, 0.0, 0.0], [math.inf, 0.0, 1.0], [0.0, 0.0, 9.0]])]
    )
    bad = torch.tensor([[0, 1, 4], [0, 1, 5], [0, 0, 1], [2, 2, 2]])
    healthy = rasterize(SQUARE, SQUARE_FACES, above(3.0))
    poisoned = rasterize(vertices, torch.cat([SQUARE_FACES, bad]), above(3.0))
    assert torch.equal(healthy.triangle, poisoned.triangle)
    assert torch.equal(healthy.depth, poisoned.depth)


def test_no_triangle_is_an_empty_picture(backend):
    fragments = rasterize(SQUARE, SQUARE_FACES[:0], above(3.0))
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
        ("cpu", vertices, faces, *_library.flat(views(2)), 20, 18, 0.01, 1e4),
        test_utils=("test_schema", "test_faketensor"),
    )


def test_faces_without_their_vertices_are_refused():
    with pytest.raises(IndexError, match="corners 0 to 3, expected 0 to 2"):
        rasterize(SQUARE[:3], SQUARE_FACES, above(3.0))
