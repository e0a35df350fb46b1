"""A mesh as a field: solid where it encloses, dense by the depth under its surface, in its colours."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor
from torch.testing import assert_close

from distill3d.camera import turntable
from distill3d.conversions._closest import Surface
from distill3d.conversions._inside import inside
from distill3d.conversions._mesh_field import BLUR_VOXELS, FADE_VOXELS, MeshField
from distill3d.representations.mesh import Mesh, Texture
from tests.traced import by_octant


def scene(shape: trimesh.Trimesh) -> Mesh:
    vertices = torch.tensor(shape.vertices, dtype=torch.float32)
    return Mesh(vertices, torch.tensor(shape.faces), by_octant(vertices))


def textured_ball() -> Mesh:
    """The whole globe on one picture: longitudes to the right, the north at its top."""
    shape = trimesh.creation.uv_sphere(radius=0.6, count=[48, 96])
    x, y, z = torch.tensor(shape.vertices, dtype=torch.float32).T / 0.6
    uv = torch.stack([(torch.atan2(y, x) / math.tau + 0.5), z.clamp(-1, 1).acos() / math.pi], 1)
    corners = uv[torch.tensor(shape.faces)]
    far = corners[:, :, 0].amax(1) - corners[:, :, 0].amin(1) > 0.5
    corners[far, :, 0] += (corners[far, :, 0] < 0.5).float()
    row, column = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 128), indexing="ij")
    image = torch.stack([row, 0.5 + 0.4 * (2 * math.tau * column).sin(), 1 - row], -1)
    indices = torch.arange(3 * len(corners)).reshape(-1, 3)
    vertices = torch.tensor(shape.vertices, dtype=torch.float32)
    return Mesh(vertices, torch.tensor(shape.faces), Texture(image, corners.reshape(-1, 2), indices))


@pytest.fixture(scope="module")
def ball() -> MeshField:
    return MeshField.of(scene(trimesh.creation.icosphere(5, 0.6)), resolution=96)


def psnr(one: Tensor, other: Tensor) -> float:
    return float(-10 * (one - other).square().mean().log10())


def test_density_on_a_ball_is_its_closed_form(ball: MeshField) -> None:
    out = torch.nn.functional.normalize(
        torch.randn(500, 3, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    voxel = 2 / 96
    blur, fade = BLUR_VOXELS * voxel, FADE_VOXELS * voxel
    depths = torch.linspace(-1.5, 2.5, 500) * voxel
    log_density, _, _ = ball.query((0.6 - depths)[:, None] * out, None)
    truth = (fade / blur**2 * torch.nn.functional.softplus(depths / fade)).log()
    assert_close(log_density, truth, rtol=0.0, atol=0.2)


def test_silhouettes_of_one_ray_a_pixel_are_as_soft_as_means_of_pixels() -> None:
    """Pixels of a field are samples, those of a mesh are means: along an edge, alpha of both is the same."""
    mesh = scene(trimesh.creation.icosphere(5, 0.6))
    cameras = turntable(3, width=128, height=128)
    with torch.no_grad():
        seen, truth = MeshField.of(mesh, resolution=128).render(cameras).alpha, mesh.render(cameras).alpha
    edge = (truth > 0.02) & (truth < 0.98)
    off = (seen - truth)[edge]
    assert off.std() < 0.1, "all or nothing in a pixel is off by 0.29 more or less"
    assert off.mean().abs() < 0.25, "and so many pixels at most lies the edge elsewhere"


def test_rays_end_on_the_surface_whatever_their_slope(ball: MeshField) -> None:
    cameras = turntable(3, width=48, height=48)
    with torch.no_grad():
        seen = ball.render(cameras, want=("rgb", "alpha", "depth"))
        truth = scene(trimesh.creation.icosphere(5, 0.6)).render(cameras, want=("rgb", "alpha", "depth"))
    both = (seen.alpha > 0.99) & (truth.alpha > 0.99)
    off = (seen.mean_depth() - truth.mean_depth())[both]
    assert off.abs().mean() < 1.4 * 2 / 96
    wider = math.sqrt(float(seen.alpha.mean() / truth.alpha.mean())) - 1
    assert abs(0.6 * wider) < 0.7 * 2 / 96, "a ball of so many voxels' radius more"


@pytest.mark.parametrize("kind", ["vertex colours", "texture", "inside out"])
def test_it_looks_like_the_mesh(kind: str) -> None:
    mesh = textured_ball() if kind == "texture" else scene(trimesh.creation.capsule(0.7, 0.3))
    if kind == "inside out":
        mesh = Mesh(mesh.vertices().detach(), mesh.faces.flip(1), mesh.colour_logits.sigmoid())
    cameras = turntable(3, width=96, height=96)
    with torch.no_grad():
        seen = MeshField.of(mesh, resolution=128).render(cameras)
        truth = mesh.render(cameras)
    assert psnr(seen.over((1.0, 1.0, 1.0)), truth.over((1.0, 1.0, 1.0))) > 28
    assert psnr(seen.rgb.flip(2), truth.rgb) < 20


def test_a_sheet_is_seen_from_both_sides_and_has_nothing_behind() -> None:
    sheet = trimesh.Trimesh(
        [[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], [[0, 1, 2], [0, 2, 3]]
    )
    sheet.apply_transform(trimesh.transformations.rotation_matrix(0.4, [1, 2, 3]))
    mesh = scene(sheet)
    field = MeshField.of(mesh, resolution=96)
    cameras = turntable(2, elevation_rad=0.7, width=48, height=48)
    with torch.no_grad():
        seen, truth = field.render(cameras), mesh.render(cameras)
    assert (seen.alpha - truth.alpha).abs().mean() < 0.04
    assert seen.alpha[truth.alpha > 0.99].mean() > 0.85


def test_inside_is_what_surfaces_enclose_whichever_way_they_face() -> None:
    centres = (2 * np.arange(40) - 39) / 40
    x, y, z = np.meshgrid(centres, centres, centres, indexing="ij")
    shape = trimesh.creation.torus(0.6, 0.25, major_sections=200, minor_sections=100)
    distance = np.hypot(np.hypot(x, y) - 0.6, z) - 0.25
    found = inside(np.asarray(shape.triangles), 40)
    clear = np.abs(distance) > 2e-3
    assert (found == (distance < 0))[clear].all()
    assert (inside(np.asarray(shape.triangles)[:, ::-1], 40) == found).all()
    corner = trimesh.creation.box((0.5, 0.5, 0.5)).apply_translation([1.0, 0, 0])
    assert inside(np.asarray(corner.triangles), 40)[-1, 20, 20], "also where it sticks out of the grid"


def test_a_gap_lets_nothing_in_and_a_sheet_encloses_nothing() -> None:
    shape = trimesh.creation.box((1.0, 1.0, 1.0))
    whole = inside(np.asarray(shape.triangles), 32)
    assert whole.sum() == 16**3
    open_above = np.asarray(shape.triangles)[shape.face_normals[:, 2] < 0.5]
    assert (inside(open_above, 32) == whole).mean() > 0.999
    assert not inside(np.asarray(shape.triangles)[:2], 32).any()


def test_closest_places_are_those_of_the_closed_form() -> None:
    shape = trimesh.creation.box((1.0, 0.6, 0.4))
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 3))
    places = Surface(np.asarray(shape.triangles), 0.05).closest(points)
    half = np.array([0.5, 0.3, 0.2])
    outside = (np.abs(points) > half).any(1)
    truth = np.linalg.norm(points - points.clip(-half, half), axis=1)
    found = np.linalg.norm(points - places.points, axis=1)
    truth[~outside] = (half - np.abs(points)).min(1)[~outside]
    assert (found > truth - 1e-9).all()
    assert (found > truth + 1e-9).mean() < 0.005, "ties between triangles are rare"
    assert (found - truth).max() < 1e-3
    np.testing.assert_allclose(
        places.of(np.asarray(shape.vertices), np.asarray(shape.faces)), places.points, atol=1e-9
    )


@pytest.mark.parametrize(
    ("shape", "resolution", "sentence"),
    [
        (
            trimesh.creation.icosphere(1, 1.5),
            96,
            r"reaches 1\.5 from the origin.*scale and shift the mesh first$",
        ),
        (trimesh.creation.icosphere(1, 0.5), 8, r"resolution 8 is too coarse.*give 48 or more$"),
        (trimesh.Trimesh([[0, 0, 0]], np.zeros((0, 3), int)), 96, r"no triangles.*give one with faces$"),
    ],
    ids=["too large", "too coarse", "no triangles"],
)
def test_what_is_no_field_is_a_sentence(shape: trimesh.Trimesh, resolution: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MeshField.of(scene(shape), resolution=resolution)
